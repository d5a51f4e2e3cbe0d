import { describe, expect, test } from 'vitest';

import { digestOf, RegistryError } from '../../model/index.ts';

import { memoryBlobs } from './memory-blobs.ts';

const bytes = new TextEncoder().encode('hello');
const digest = digestOf(bytes);

async function* once(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

describe('blobs in memory', () => {
  test('are given back as they were put, whole or in part, whatever the repository', async () => {
    const blobs = memoryBlobs();
    await blobs.put?.('a', { digest }, once(bytes.slice(0, 2), bytes.slice(2)), {});
    const content = await blobs.get('b', digest, {});
    expect(content.descriptor).toEqual({ mediaType: 'application/octet-stream', digest, size: 5 });
    expect(await content.bytes()).toEqual(bytes);
    expect(await (await blobs.get('a', digest, { range: { start: 1, end: 3 } })).bytes()).toEqual(bytes.slice(1, 3));
    expect(await blobs.stat?.('b', digest, {})).toEqual({ size: 5 });
  });

  test('are copies: the buffers that were put may be used again', async () => {
    const blobs = memoryBlobs();
    const buffer = Uint8Array.from(bytes);
    await blobs.put?.('a', { digest }, once(buffer), {});
    buffer.fill(0);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });

  test('stop being read when the signal is aborted', async () => {
    const blobs = memoryBlobs();
    await blobs.put?.('a', { digest }, once(bytes), {});
    const controller = new AbortController();
    const content = await blobs.get('a', digest, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(content.bytes()).rejects.toThrow('enough');
  });

  test('are unknown before they are put and after they are deleted', async () => {
    const blobs = memoryBlobs();
    const unknown = { code: 'BLOB_UNKNOWN', detail: { digest } };
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject(unknown);
    await expect(blobs.stat?.('a', digest, {})).rejects.toMatchObject(unknown);
    await expect(blobs.delete?.('a', digest, {})).rejects.toMatchObject(unknown);
    await blobs.put?.('a', { digest }, once(bytes), {});
    await blobs.delete?.('a', digest, {});
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject(unknown);
    await expect(blobs.delete?.('a', digest, {})).rejects.toMatchObject(unknown);
  });

  test('of which the content fails are not there, and the error is passed on', async () => {
    const blobs = memoryBlobs();
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield bytes;
      throw new RegistryError('DIGEST_INVALID', 'other bytes');
    };
    await expect(blobs.put?.('a', { digest }, failing(), {})).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    await expect(blobs.get('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('stay readable for a reader that has begun, also when they are deleted or written again', async () => {
    const blobs = memoryBlobs();
    await blobs.put?.('a', { digest }, once(bytes), {});
    const [one, other] = [await blobs.get('a', digest, {}), await blobs.get('a', digest, {})];
    await blobs.put?.('a', { digest }, once(bytes), {});
    expect(await one.bytes()).toEqual(bytes);
    await blobs.delete?.('a', digest, {});
    expect(await other.bytes()).toEqual(bytes);
  });

  test('may have no bytes', async () => {
    const blobs = memoryBlobs();
    const none = digestOf(new Uint8Array());
    await blobs.put?.('a', { digest: none }, once(), {});
    expect(await blobs.stat?.('a', none, {})).toEqual({ size: 0 });
    expect(await (await blobs.get('a', none, {})).bytes()).toHaveLength(0);
  });

  test('appear when a stage keeps its bytes, and not before', async () => {
    const blobs = memoryBlobs();
    const stage = blobs.stage?.('a');
    await stage?.append(bytes);
    await expect(blobs.stat?.('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await stage?.keep('a', digest);
    expect(await (await blobs.get('a', digest, {})).bytes()).toEqual(bytes);
  });
});
