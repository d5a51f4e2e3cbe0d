import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { collect, createContent, digestOf, mediaTypes, RedirectError, RegistryError } from '../../model/index.ts';
import type { BlobContent, ByteRange, Digest, Registry } from '../../model/index.ts';
import { memoryBlobs } from '../blobs/index.ts';
import type { BlobStore } from '../blobs/index.ts';
import { diskBlobs } from '../blobs/node.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { createMemoryRegistry } from './memory-registry.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const bytes = encode('hello');
const digest = digestOf(bytes);
const wrong = encode('jello');

const blobUnknown = new RegistryError('BLOB_UNKNOWN', 'it is not in the bucket');

function contentOf(of: Digest, content: Uint8Array, range?: ByteRange): BlobContent {
  const descriptor = { mediaType: mediaTypes.octetStream, digest: of, size: content.length };
  return createContent({ descriptor, range, source: { pieces: [content] } });
}

/** Content that is there before the registry is: by repository, or in each of them. */
function bucket(content: Record<string, Uint8Array>, told: string[] = []): BlobStore {
  return {
    async get(repository, of, { range }) {
      told.push(repository);
      const found = content[repository] ?? content['*'];
      if (found === undefined || digestOf(found) !== of) throw blobUnknown;
      return contentOf(of, found, range);
    },
  };
}

const image = new TextEncoder().encode(
  JSON.stringify({ schemaVersion: 2, config: { mediaType: mediaTypes.imageConfig, digest, size: bytes.length } }),
);

async function textOf(registry: Registry, repository: string, of: Digest = digest): Promise<string> {
  return new TextDecoder().decode(await (await registry.getBlob(repository, of)).bytes());
}

describe('over a blob store that can only get', () => {
  const registry = createMemoryRegistry({ blobs: bucket({ '*': bytes }) });

  test('a blob is read, whole and in part, and resolved', async () => {
    expect(await textOf(registry, 'a')).toBe('hello');
    const part = await registry.getBlob('a', digest, { range: { start: 1, end: 3 } });
    expect(new TextDecoder().decode(await part.bytes())).toBe('el');
    expect(await registry.resolveBlob('a', digest)).toEqual({ mediaType: mediaTypes.octetStream, digest, size: 5 });
  });

  test('a blob that the store does not have is unknown', async () => {
    const unknown = digestOf(encode('x'));
    await expect(registry.getBlob('nowhere', unknown)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(registry.resolveBlob('nowhere', unknown)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('nothing can be pushed', async () => {
    const unsupported = { code: 'UNSUPPORTED' };
    await expect(registry.pushBlob('a', { digest }, bytes)).rejects.toMatchObject(unsupported);
    await expect(registry.startUpload('a')).rejects.toMatchObject(unsupported);
    await expect(registry.mountBlob('b', 'a', digestOf(encode('x')))).rejects.toMatchObject(unsupported);
  });

  test('nothing can be deleted', async () => {
    await expect(registry.deleteBlob('a', digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('a manifest may name what the store has, and not what it does not have', async () => {
    await registry.pushManifest('a', image, mediaTypes.imageManifest, { tags: ['v1'] });
    expect((await registry.resolveTag('a', 'v1')).size).toBe(image.length);
    const missing = digestOf(encode('x'));
    const text = new TextDecoder().decode(image).replace(digest, missing);
    await expect(registry.pushManifest('a', encode(text), mediaTypes.imageManifest)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { digest: missing },
    });
  });

  test('a blob is unknown, not its repository, where the repository has a manifest', async () => {
    await registry.pushManifest('b', image, mediaTypes.imageManifest);
    await expect(registry.getBlob('b', digestOf(encode('x')))).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('any other failure of the store is passed on', async () => {
    const failing = createMemoryRegistry({ blobs: { get: () => Promise.reject(new Error('no route to host')) } });
    await expect(failing.getBlob('a', digest)).rejects.toThrow('no route to host');
    await expect(failing.resolveBlob('a', digest)).rejects.toThrow('no route to host');
    await expect(failing.pushManifest('a', image, mediaTypes.imageManifest)).rejects.toThrow('no route to host');
    await expect(failing.mountBlob('a', 'b', digest)).rejects.toThrow('no route to host');
  });

  test('asking for the size lets go of the content', async () => {
    let cancelled = 0;
    const blobs: BlobStore = {
      async get(_repository, of) {
        const descriptor = { mediaType: mediaTypes.octetStream, digest: of, size: 5 };
        const source = { iterate: () => new ReadableStream<Uint8Array>(), cancel: async () => void cancelled++ };
        return createContent({ descriptor, source });
      },
    };
    expect((await createMemoryRegistry({ blobs }).resolveBlob('a', digest)).size).toBe(5);
    expect(cancelled).toBe(1);
  });
});

describe('over a blob store that answers that the content is elsewhere', () => {
  const redirect = new RedirectError('https://cdn.example/blob', 302);
  const registry = createMemoryRegistry({ blobs: { get: () => Promise.reject(redirect) } });

  test('reading a blob says so', async () => {
    await expect(registry.getBlob('a', digest)).rejects.toBe(redirect);
    await expect(registry.resolveBlob('a', digest)).rejects.toBe(redirect);
  });

  test('a manifest may name it', async () => {
    await registry.pushManifest('a', image, mediaTypes.imageManifest, { tags: ['v1'] });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(digestOf(image));
  });

  test('it is sent rather than mounted: its size is not known', async () => {
    const accepting = createMemoryRegistry({
      blobs: { ...memoryBlobs(), get: () => Promise.reject(redirect), stat: () => Promise.reject(redirect) },
    });
    const { upload, descriptor } = await accepting.mountBlob('a', 'b', digest);
    expect([descriptor, upload?.size]).toEqual([undefined, 0]);
  });
});

describe('over a blob store that has content of its own', () => {
  /** A store that keeps repositories apart, and can be written to. */
  function apart(told: string[] = []): BlobStore {
    const content = new Map<string, Uint8Array>([[`a ${digest}`, bytes]]);
    const find = (repository: string, of: Digest): Uint8Array => {
      told.push(repository);
      const found = content.get(`${repository} ${of}`);
      if (found === undefined) throw blobUnknown;
      return found;
    };
    return {
      get: async (repository, of, { range }) => contentOf(of, find(repository, of), range),
      async put(repository, blob, source) {
        const pieces = await collect(source);
        content.set(`${repository} ${blob.digest}`, Buffer.concat(pieces));
      },
      async delete(repository, of) {
        find(repository, of);
        content.delete(`${repository} ${of}`);
      },
    };
  }

  test('a blob is read under the name of the repository that is asked', async () => {
    const registry = createMemoryRegistry({ blobs: apart() });
    expect(await textOf(registry, 'a')).toBe('hello');
    await expect(registry.getBlob('b', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('a blob can be mounted from where it is, and is then read under the name of that repository', async () => {
    const registry = createMemoryRegistry({ blobs: apart() });
    expect(await registry.mountBlob('a', 'b', digest)).toMatchObject({ descriptor: { digest, size: 5 } });
    expect(await textOf(registry, 'b')).toBe('hello');
    expect(await collect(registry.repositories())).toEqual(['b']);
  });

  test('a blob that was pushed is read everywhere under the name of the repository it was pushed to', async () => {
    const told: string[] = [];
    const registry = createMemoryRegistry({ blobs: apart(told) });
    const [other, text] = [digestOf(encode('other')), encode('other')];
    await registry.pushBlob('c', { digest: other }, text);
    await registry.mountBlob('c', 'd', other);
    await registry.deleteBlob('c', other);
    expect(await textOf(registry, 'd', other)).toBe('other');
    await registry.deleteBlob('d', other);
    expect(new Set(told)).toEqual(new Set(['c']));
    await expect(registry.getBlob('d', other)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('a blob can be deleted where it is', async () => {
    const registry = createMemoryRegistry({ blobs: apart() });
    await expect(registry.deleteBlob('b', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await registry.deleteBlob('a', digest);
    await expect(registry.getBlob('a', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('a blob that was pushed belongs to where it was pushed', async () => {
    const registry = createMemoryRegistry({ blobs: memoryBlobs() });
    await registry.pushBlob('a', { digest }, bytes);
    await registry.pushManifest('b', encode(JSON.stringify({ schemaVersion: 2 })), mediaTypes.imageIndex);
    await expect(registry.getBlob('b', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(registry.getBlob('c', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(registry.deleteBlob('b', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(registry.deleteBlob('c', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await expect(registry.pushManifest('b', image, mediaTypes.imageManifest)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
  });

  test('content that has gone from the store is unknown, although the registry was given it', async () => {
    const blobs = memoryBlobs();
    const registry = createMemoryRegistry({ blobs });
    await registry.pushBlob('a', { digest }, bytes);
    await blobs.delete?.('a', digest, {});
    await expect(registry.getBlob('a', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await expect(registry.resolveBlob('a', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    // It can be cleared away, and pushed again.
    await registry.deleteBlob('a', digest);
    await registry.pushBlob('a', { digest }, bytes);
    expect(await textOf(registry, 'a')).toBe('hello');
  });
});

describe('over a blob store whose put', () => {
  type Put = NonNullable<BlobStore['put']>;

  /** A registry over memory blobs without stages and with a `put` of one's own, which is given theirs. */
  function putting(put: (memory: Put, ...args: Parameters<Put>) => Promise<void>): Registry {
    const memory = memoryBlobs();
    const blobs: BlobStore = {
      ...memory,
      put: (...args) => put(async (...rest) => memory.put?.(...rest), ...args),
    };
    delete blobs.stage;
    return createMemoryRegistry({ blobs });
  }
  const invalid = { code: 'DIGEST_INVALID' };

  test('does not read anything, as it has the blob already, the content is verified all the same', async () => {
    const registry = putting(async () => undefined);
    await expect(registry.pushBlob('a', { digest }, wrong)).rejects.toMatchObject(invalid);
    await expect(registry.pushBlob('a', { digest, size: 6 }, bytes)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(await collect(registry.repositories())).toEqual([]);
    expect(await registry.pushBlob('a', { digest }, bytes)).toMatchObject({ digest, size: 5 });
  });

  test('reads only the beginning, the rest is verified all the same', async () => {
    const registry = putting(async (_put, _repository, _blob, content) => {
      await content[Symbol.asyncIterator]().next();
    });
    const pieces = (text: string) =>
      async function* (): AsyncGenerator<Uint8Array> {
        yield encode(text.slice(0, 3));
        yield encode(text.slice(3));
      };
    await expect(registry.pushBlob('a', { digest }, pieces('helly'))).rejects.toMatchObject(invalid);
    expect(await registry.pushBlob('a', { digest }, pieces('hello'))).toMatchObject({ digest, size: 5 });
  });

  test('leaves the content in the middle, nothing is proved and the push fails', async () => {
    const registry = putting(async (_put, _repository, _blob, content) => {
      for await (const _piece of content) break;
    });
    await expect(registry.pushBlob('a', { digest }, bytes)).rejects.toMatchObject(invalid);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('swallows the error of the verification, the push fails and the repository does not have the blob', async () => {
    const registry = putting(async (_put, _repository, _blob, content) => {
      await collect(content).catch(() => undefined);
    });
    await expect(registry.pushBlob('a', { digest }, wrong)).rejects.toMatchObject(invalid);
    await expect(registry.pushBlob('a', { digest, size: 9 }, bytes)).rejects.toMatchObject(invalid);
    await expect(registry.getBlob('a', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('fails, the push fails with its error and the source is let go of', async () => {
    let closed = false;
    const registry = putting(async (_put, _repository, _blob, content) => {
      await content[Symbol.asyncIterator]().next();
      throw new RegistryError('UNAVAILABLE', 'the bucket is full');
    });
    const source: AsyncIterable<Uint8Array> = {
      async *[Symbol.asyncIterator]() {
        try {
          yield bytes;
          yield bytes;
        } finally {
          closed = true;
        }
      },
    };
    await expect(registry.pushBlob('a', { digest }, source)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(closed).toBe(true);
    expect(await collect(registry.repositories())).toEqual([]);
  });

  test('is all there is, an upload is put when it is committed', async () => {
    const told: unknown[] = [];
    const registry = putting(async (put, repository, blob, content, options) => {
      told.push(repository, blob);
      await put(repository, blob, content, options);
    });
    const upload = await registry.startUpload('a');
    await upload.append(encode('hel'));
    expect(told).toEqual([]);
    await upload.commit(digest, { source: encode('lo') });
    expect(told).toEqual(['a', { digest, size: 5 }]);
    expect(await textOf(registry, 'a')).toBe('hello');
  });

  test('fails at the commit of an upload, the upload can be committed again', async () => {
    let failures = 1;
    const registry = putting(async (put, ...args) => {
      if (failures-- > 0) throw new RegistryError('UNAVAILABLE', 'the bucket is full');
      await put(...args);
    });
    const upload = await registry.startUpload('a');
    await upload.append(bytes);
    await expect(upload.commit(digest)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(upload.size).toBe(5);
    await upload.commit(digest);
    expect(await textOf(registry, 'a')).toBe('hello');
  });
});

describe('bytes that several repositories share', () => {
  test('go with the last repository that has them', async () => {
    const dir = await temporaryDirectory();
    const registry = createMemoryRegistry({ blobs: diskBlobs(dir) });
    await registry.pushBlob('a', { digest }, bytes);
    await registry.pushBlob('b', { digest }, bytes);
    await registry.mountBlob('b', 'c', digest);
    for (const repository of ['a', 'b']) {
      await registry.deleteBlob(repository, digest);
      expect(await readdir(join(dir, 'sha256'))).toHaveLength(1);
      expect(await textOf(registry, 'c')).toBe('hello');
    }
    await registry.deleteBlob('c', digest);
    expect(await readdir(join(dir, 'sha256'))).toEqual([]);
    expect(await readdir(join(dir, '.uploads'))).toEqual([]);
  });

  /** Bytes of which the last part comes when it is let come. */
  function slowly(last: Uint8Array): { source: AsyncIterable<Uint8Array>; finish: () => void } {
    let finish = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (finish = resolve));
    const source: AsyncIterable<Uint8Array> = {
      async *[Symbol.asyncIterator]() {
        yield encode('hell');
        await waiting;
        yield last;
      },
    };
    return { source, finish };
  }

  test('stay when the last repository deletes them while another one is being pushed them', async () => {
    const registry = createMemoryRegistry();
    await registry.pushBlob('a', { digest }, bytes);
    const { source, finish } = slowly(encode('o'));
    const pushing = registry.pushBlob('b', { digest }, source);
    await new Promise(setImmediate);
    await registry.deleteBlob('a', digest);
    finish();
    await pushing;
    expect(await textOf(registry, 'b')).toBe('hello');
    await expect(registry.getBlob('a', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('belong to no repository after such a push has failed', async () => {
    const blobs = memoryBlobs();
    const registry = createMemoryRegistry({ blobs });
    await registry.pushBlob('a', { digest }, bytes);
    const { source, finish } = slowly(encode('y'));
    const pushing = registry.pushBlob('b', { digest }, source);
    await new Promise(setImmediate);
    await registry.deleteBlob('a', digest);
    finish();
    await expect(pushing).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    for (const repository of ['a', 'b', 'c']) {
      await expect(registry.getBlob(repository, digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    }
    await expect(blobs.stat?.('a', digest, {})).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });

  test('are written again after a deletion that is under way', async () => {
    const memory = memoryBlobs();
    let finish = (): void => undefined;
    const waiting = new Promise<void>((resolve) => (finish = resolve));
    const registry = createMemoryRegistry({
      blobs: {
        ...memory,
        async delete(...args) {
          await waiting;
          await memory.delete?.(...args);
        },
      },
    });
    await registry.pushBlob('a', { digest }, bytes);
    const deleting = registry.deleteBlob('a', digest);
    const pushing = registry.pushBlob('b', { digest }, bytes);
    // Neither can others read or mount, or name in a manifest, what is going to be gone.
    await expect(registry.getBlob('c', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    expect((await registry.mountBlob(undefined, 'c', digest)).descriptor).toBeUndefined();
    await expect(registry.pushManifest('a', image, mediaTypes.imageManifest)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
    });
    finish();
    await Promise.all([deleting, pushing]);
    expect(await textOf(registry, 'b')).toBe('hello');
  });

  test('are there for a mount that was told so, also if they are deleted at the same moment', async () => {
    for (const from of ['a', undefined]) {
      const registry = createMemoryRegistry();
      await registry.pushBlob('a', { digest }, bytes);
      const [{ descriptor }] = await Promise.all([
        registry.mountBlob(from, 'b', digest),
        registry.deleteBlob('a', digest),
      ]);
      expect(descriptor?.size).toBe(5);
      expect(await textOf(registry, 'b')).toBe('hello');
    }
  });

  test('cannot be read by other repositories if they could not be deleted', async () => {
    const blobs = { ...memoryBlobs(), delete: () => Promise.reject(new Error('the disk is gone')) };
    const registry = createMemoryRegistry({ blobs });
    await registry.pushBlob('a', { digest }, bytes);
    await expect(registry.deleteBlob('a', digest)).rejects.toThrow('the disk is gone');
    await expect(registry.getBlob('b', digest)).rejects.toMatchObject({ code: 'NAME_UNKNOWN' });
    await registry.pushBlob('b', { digest }, bytes);
    expect(await textOf(registry, 'b')).toBe('hello');
  });
});
