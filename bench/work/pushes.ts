// Work: small pushes.
import { unlessUnsupported } from '../bench.ts';
import type { Work } from '../bench.ts';
import type { Row } from '../results.ts';

const rate = { unit: '/s', better: 'higher', writes: true } as const;
const postPut: Row = { id: 'push-blob', title: '4 KiB blob push, POST + PUT', ...rate, onlyBlobs: true };
const post: Row = { id: 'push-blob-post', title: '4 KiB blob push, one POST', ...rate, onlyBlobs: true };
const patch: Row = { id: 'push-blob-patch', title: '4 KiB blob push, PATCH + PUT', ...rate, onlyBlobs: true };
const chunked: Row = {
  id: 'push-blob-chunked',
  title: '4 KiB blob push, chunked PATCH + PUT',
  ...rate,
  onlyBlobs: true,
};
const image: Row = { id: 'push-image', title: 'small image push, 2 blobs + tag', ...rate };
const memory: Row = { id: 'memory-pushes', title: 'peak memory, after these pushes', unit: 'MiB', better: 'lower' };

/** Pushes small content at the highest rate. */
export const pushes: Work = {
  name: 'pushes',
  rows: () => [postPut, post, patch, chunked, image, memory],
  concerns: (system) => system.copy === undefined,
  async run(bench) {
    const { seconds, warmUp, connections } = bench.settings;
    const loop = { port: bench.port, connections, seconds, warmUp };
    const blobs = { ...loop, size: 4096 };
    await bench.measure(postPut, () =>
      bench.rate('pushBlobs', { ...blobs, repository: 'bench/push', flow: 'post-put', seed: 11 }),
    );
    await bench.measure(post, async () => {
      // A registry without the single POST starts an upload instead, and answers 202.
      await unlessUnsupported([202, 400, 404, 405], () =>
        bench.prepare('pushOneBlob', { port: bench.port, repository: 'bench/post', flow: 'post', seed: 12 }),
      );
      return bench.rate('pushBlobs', { ...blobs, repository: 'bench/post', flow: 'post', seed: 13 });
    });
    for (const [row, flow] of [
      [patch, 'patch'],
      [chunked, 'chunked'],
    ] as const) {
      await bench.measure(row, () =>
        bench.rate('pushBlobs', { ...blobs, repository: `bench/${flow}`, flow, seed: flow === 'patch' ? 14 : 15 }),
      );
    }
    await bench.measure(image, () => bench.rate('pushImages', { ...loop, repository: 'bench/image' }));
    await bench.measureMemory(memory);
  },
};
