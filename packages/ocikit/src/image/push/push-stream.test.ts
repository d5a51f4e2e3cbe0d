import { createReadStream } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { digestOf, mediaTypes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';
import { pushTargets } from '../../../test/push-targets.ts';
import { temporaryDirectory } from '../../../test/temporary-directory.ts';

import { pushStream } from '../index.ts';

const text = 'piece '.repeat(50_000);

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += 6000) yield new TextEncoder().encode(text.slice(at, at + 6000));
}

test.each(pushTargets)('a stream of unknown digest is pushed in one call into %s', async (_name, start) => {
  const registry = await start();
  for (const algorithm of ['sha256', 'sha512']) {
    const descriptor = await pushStream(registry, 'a', pieces(), { algorithm, mediaType: mediaTypes.layer });
    const digest = digestOf(new TextEncoder().encode(text), algorithm);
    expect(descriptor).toEqual({ mediaType: mediaTypes.layer, digest, size: text.length });
    expect(new TextDecoder().decode(await (await registry.getBlob('a', digest)).bytes())).toBe(text);
  }
  expect(await pushStream(registry, 'a', new Uint8Array())).toMatchObject({
    size: 0,
    mediaType: mediaTypes.octetStream,
  });
});

test.each(pushTargets)('a stream that fails leaves nothing in %s', async (_name, start) => {
  const registry = await start();
  const failing = async function* failing(): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(1000);
    throw new Error('the tape is torn');
  };
  await expect(pushStream(registry, 'a', failing())).rejects.toThrow('the tape is torn');
  await expect(registry.resolveBlob('a', digestOf(new Uint8Array(1000)))).rejects.toThrow();
});

test.each(pushTargets)(
  'a source that cannot be opened fails the push into %s, and starts no upload',
  async (_name, start) => {
    const registry = await start();
    let uploads = 0;
    const counting: Registry = Object.assign(Object.create(registry) as Registry, {
      startUpload: (...given: Parameters<Registry['startUpload']>) => {
        uploads++;
        return registry.startUpload(...given);
      },
    });
    const missing = createReadStream(join(await temporaryDirectory(), 'missing'));
    await expect(pushStream(counting, 'a', missing)).rejects.toThrow('ENOENT');
    expect(uploads).toBe(0);
  },
);

test.each(pushTargets)('a push into %s that is refused closes its source', async (_name, start) => {
  const source = createReadStream(import.meta.filename);
  await expect(pushStream(await start(), 'NOT A NAME', source)).rejects.toMatchObject({ code: 'NAME_INVALID' });
  expect(source.destroyed).toBe(true);
});

test('an unknown algorithm is refused before the source is opened', async () => {
  const source = (): never => expect.unreachable();
  await expect(pushStream(createMemoryRegistry(), 'a', source, { algorithm: 'md5' })).rejects.toMatchObject({
    code: 'DIGEST_INVALID',
  });
});
