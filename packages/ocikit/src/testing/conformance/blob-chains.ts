// The official tests of blobs: pushing, mounting, reading and deleting them.
import type { BlobUpload, ByteRange, Digest } from '../../model/index.ts';
import {
  assertBlob,
  chunkLength,
  equal,
  identityOf,
  mountedIn,
  rejects,
  sameBytes,
  streamOf,
  uploadIn,
} from '../cases/index.ts';
import type { Need, Scene } from '../cases/index.ts';
import { blobOf, randomBlob } from '../content/index.ts';
import type { TestBlob } from '../content/index.ts';

import type { Step } from './step.ts';

/** Official tests that build on one another. Each run of the chain makes content of its own. */
export interface Chain {
  /** The part of the official name that the tests share. */
  readonly name: string;
  /** Properties that all its tests need from the registry. */
  readonly needs?: readonly Need[];
  /** Makes the steps, with new content. */
  steps(): Step[];
}

const size = 512;

/** The official tests of blobs with digests of this algorithm. */
export function blobChains(algorithm: string): Chain[] {
  const random = (length: number = size): TestBlob => randomBlob(length, { algorithm });
  const chain = (name: string, steps: () => Step[], needs: readonly Need[] = []): Chain => ({ name, needs, steps });
  const pushed = (name: string, push: (blob: TestBlob) => Step, make: () => TestBlob = random): Chain =>
    chain(name, () => {
      const blob = make();
      return [push(blob), head(blob), get(blob), remove(blob)];
    });
  return [
    chain('get-missing', () => [missing(random())]),
    pushed('post only', postOnly),
    pushed('post+put', postPut),
    pushed('chunked single', (blob) => chunked(blob, { chunks: 1 })),
    pushed('stream', streamed),
    mountChain('mount', random()),
    mountChain('mount anonymous', random()),
    pushed('mount missing', mountMissing),
    chain('post cancel', () => cancelSteps(random())),
    pushed(
      'chunked multi',
      (blob) => chunked(blob, { chunks: 3 }),
      () => random(3067),
    ),
    pushed(
      'chunked multi and put chunk',
      (blob) => chunked(blob, { chunks: 3, last: true }),
      () => random(3067),
    ),
    pushed(
      'chunked out-of-order',
      (blob) => chunked(blob, { chunks: 3, unordered: true }),
      () => random(3067),
    ),
    pushed(
      'chunked out-of-order and put chunk',
      (blob) => chunked(blob, { chunks: 3, unordered: true, last: true }),
      () => random(3067),
    ),
    chain('range requests', () => rangeSteps(random(2048))),
    pushed('empty', postPut, () => blobOf('', { algorithm })),
    pushed('emptyJSON', postPut, () => blobOf('{}', { algorithm })),
    chain('bad digest post only', () => [refused('blob-post-only', random(3067), postOnly)]),
    chain('bad digest post+put', () => [refused('blob-post-put', random(3067), postPut)]),
    chain('bad digest chunked', () => [
      refused('blob-patch-chunked', random(3067), (blob) => chunked(blob, { chunks: 3 })),
    ]),
    chain('bad digest chunked and put chunk', () => [
      refused('blob-patch-chunked', random(3067), (blob) => chunked(blob, { chunks: 3, last: true })),
    ]),
    chain('bad digest stream', () => [refused('blob-patch-stream', random(3067), streamed)]),
  ];
}

function step(name: string, proves: string, run: (scene: Scene, repository: string) => Promise<void>, times = 1): Step {
  const reads = ['blob-head', 'blob-get'].includes(name) || name.startsWith('range');
  return {
    name,
    proves,
    ...(reads ? {} : { prepare: run }),
    run: async (scene, repository) => {
      await run(scene, repository);
      return times;
    },
  };
}

function postOnly({ descriptor, bytes }: TestBlob): Step {
  return step('blob-post-only', 'pushes a blob in one step', async ({ registry }, name) => {
    equal(identityOf(await registry.pushBlob(name, descriptor, bytes)), descriptor, 'the result of pushBlob');
  });
}

function postPut({ descriptor, bytes }: TestBlob): Step {
  return step('blob-post-put', 'pushes a blob with the commit of an upload', async ({ registry }, name) => {
    const upload = await registry.startUpload(name);
    const committed = await upload.commit(descriptor.digest, { source: bytes, size: bytes.length });
    equal(identityOf(committed), descriptor, 'the result of commit');
  });
}

function streamed({ descriptor, bytes }: TestBlob): Step {
  return step('blob-patch-stream', 'pushes a blob as a stream of unknown size', async ({ registry }, name) => {
    const upload = await registry.startUpload(name);
    await upload.append(streamOf(bytes, 100));
    equal(identityOf(await upload.commit(descriptor.digest)), descriptor, 'the result of commit');
  });
}

interface Chunks {
  chunks: number;
  /** Each chunk is preceded by one for another position. */
  unordered?: boolean;
  /** The last chunk comes with the commit. */
  last?: boolean;
}

function chunked({ descriptor, bytes }: TestBlob, { chunks, unordered = false, last = false }: Chunks): Step {
  const proves = `pushes a blob in ${chunks === 1 ? 'a chunk' : 'chunks'}${unordered ? ', refusing those out of order' : ''}`;
  return step(
    'blob-patch-chunked',
    last ? `${proves}, the last one with the commit` : proves,
    async ({ registry }, name) => {
      const upload = await registry.startUpload(name);
      const length = chunkLength(upload, Math.ceil(bytes.length / chunks));
      for (let at = 0; at < bytes.length; at += length) {
        const elsewhere = at + length < bytes.length ? at + length : 0;
        if (unordered && elsewhere !== at) {
          const isLast = elsewhere + length >= bytes.length;
          await refusesChunk(upload, bytes, elsewhere, length, last && isLast ? descriptor.digest : undefined);
          const resumed = await registry.resumeUpload(name, upload.id);
          equal(resumed.size, at, 'the size of the upload after a chunk out of order');
        }
        const chunk = bytes.subarray(at, at + length);
        if (last && at + length >= bytes.length) {
          await upload.commit(descriptor.digest, { source: chunk, at, size: chunk.length });
          return;
        }
        equal(await upload.append(chunk, { at, size: chunk.length }), at + chunk.length, 'the size of the upload');
      }
      equal(identityOf(await upload.commit(descriptor.digest)), descriptor, 'the result of commit');
    },
  );
}

async function refusesChunk(
  upload: BlobUpload,
  bytes: Uint8Array,
  at: number,
  length: number,
  digest: Digest | undefined,
): Promise<void> {
  const source = bytes.subarray(at, at + length);
  const options = { at, size: source.length };
  const call = digest === undefined ? upload.append(source, options) : upload.commit(digest, { source, ...options });
  await rejects(call, 'RANGE_INVALID', `a chunk for byte ${at}`);
}

function head({ descriptor }: TestBlob): Step {
  return step('blob-head', 'resolves the blob', async ({ registry }, name) => {
    equal(identityOf(await registry.resolveBlob(name, descriptor.digest)), descriptor, 'the result of resolveBlob');
  });
}

function get({ descriptor, bytes }: TestBlob): Step {
  return step('blob-get', 'gives the blob', async ({ registry }, name) => {
    sameBytes(await (await registry.getBlob(name, descriptor.digest)).bytes(), bytes, 'the blob');
  });
}

function missing({ descriptor }: TestBlob): Step {
  return step('', 'does not find a blob that was never pushed', async ({ registry }, name) => {
    const content = registry.getBlob(name, descriptor.digest).then((found) => found.bytes());
    await rejects(content, ['BLOB_UNKNOWN', 'NAME_UNKNOWN']);
  });
}

function remove({ descriptor }: TestBlob, elsewhere?: (name: string) => string): Step {
  const places = elsewhere === undefined ? 1 : 2;
  return step(
    'blob-delete',
    'deletes the blob at once',
    async ({ registry }, name) => {
      for (const repository of elsewhere === undefined ? [name] : [name, elsewhere(name)]) {
        await registry.deleteBlob(repository, descriptor.digest);
        await rejects(
          registry.getBlob(repository, descriptor.digest).then((content) => content.bytes()),
          ['BLOB_UNKNOWN', 'NAME_UNKNOWN'],
          'the blob afterwards',
        );
      }
    },
    places,
  );
}

const otherOf = (name: string): string => `${name}-other`;

function mountChain(name: 'mount' | 'mount anonymous', blob: TestBlob): Chain {
  const { descriptor, bytes } = blob;
  const anonymous = name === 'mount anonymous';
  const push = step('blob-post-put', 'pushes a blob into another repository', async ({ registry }, repository) => {
    const upload = await registry.startUpload(otherOf(repository));
    await upload.commit(descriptor.digest, { source: bytes });
  });
  const what = anonymous ? 'mounts the blob without a named repository' : 'mounts the blob from that repository';
  const mount = step(anonymous ? 'blob-mount-anonymous' : 'blob-mount', what, async ({ registry }, repository) => {
    const from = anonymous ? undefined : otherOf(repository);
    const result = await registry.mountBlob(from, repository, descriptor.digest);
    equal(mountedIn(result), descriptor, 'the result of mountBlob');
    await assertBlob(registry, repository, descriptor, bytes);
  });
  return {
    name,
    needs: anonymous ? ['anonymous mount'] : [],
    steps: () => [push, mount, head(blob), get(blob), remove(blob, otherOf)],
  };
}

function mountMissing({ descriptor, bytes }: TestBlob): Step {
  return step('blob-mount', 'begins an upload for a blob that is missing everywhere', async ({ registry }, name) => {
    const upload = uploadIn(await registry.mountBlob(otherOf(name), name, descriptor.digest), 'a missing blob');
    await upload.commit(descriptor.digest, { source: bytes });
  });
}

function cancelSteps({ descriptor }: TestBlob): Step[] {
  return [
    step('blob-post-cancel', 'cancels an upload', async ({ registry }, name) => {
      const upload = await registry.startUpload(name);
      await upload.cancel();
      await rejects(registry.resumeUpload(name, upload.id), 'BLOB_UPLOAD_UNKNOWN', 'resuming it');
    }),
    step('blob-delete', 'does not find a blob of a cancelled upload to delete', async ({ registry }, name) => {
      await rejects(registry.deleteBlob(name, descriptor.digest), ['BLOB_UNKNOWN', 'NAME_UNKNOWN']);
    }),
  ];
}

/** Official ranges include their end. A range that HTTP refuses as unsatisfiable is an empty part here. */
const ranges: readonly [name: string, range: ByteRange, expected: readonly [start: number, end: number] | undefined][] =
  [
    ['range 500-1499', { start: 500, end: 1500 }, [500, 1500]],
    ['range 500-', { start: 500 }, [500, 2048]],
    ['range -500', { last: 500 }, [1548, 2048]],
    ['range 2000-5000', { start: 2000, end: 5001 }, [2000, 2048]],
    ['range 500-0', { start: 500, end: 1 }, undefined],
    ['range 5000-10000', { start: 5000, end: 10_001 }, [2048, 2048]],
  ];

function rangeSteps(blob: TestBlob): Step[] {
  const { descriptor, bytes } = blob;
  const reads = ranges.map(([name, range, expected]) => {
    const proves = expected === undefined ? 'refuses a range that ends before it starts' : 'gives a part of the blob';
    return step(name, proves, async ({ registry }, repository) => {
      const call = registry.getBlob(repository, descriptor.digest, { range });
      if (expected === undefined) {
        await rejects(call, 'RANGE_INVALID');
        return;
      }
      const [start, end] = expected;
      const content = await call;
      equal(content.range, { start, end }, 'the range of the content');
      sameBytes(await content.bytes(), bytes.subarray(start, end), 'the part');
    });
  });
  return [postPut(blob), ...reads, remove(blob)];
}

/** Pushes bytes that do not have the digest: the right ones and some more. */
function refused(name: string, { descriptor, bytes }: TestBlob, push: (blob: TestBlob) => Step): Step {
  const wrong = new Uint8Array([...bytes, ...new TextEncoder().encode('oh no')]);
  const attempt = push({ descriptor: { ...descriptor, size: wrong.length }, bytes: wrong });
  return step(name, `${attempt.proves}, but not if its digest is wrong`, async (scene, repository) => {
    await rejects(attempt.run(scene, repository), 'DIGEST_INVALID');
    const content = scene.registry.getBlob(repository, descriptor.digest).then((found) => found.bytes());
    await rejects(content, ['BLOB_UNKNOWN', 'NAME_UNKNOWN'], 'the blob afterwards');
  });
}
