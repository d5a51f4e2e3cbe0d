// Work: pushing and pulling one large blob.
import { createHash } from 'node:crypto';

import { largeDigest, largePiece } from '../content.ts';
import { unlessUnsupported } from '../bench.ts';
import type { Bench, Measured, Work } from '../bench.ts';
import type { Load } from '../load/closed-loop.ts';
import type { BlobFlow } from '../load/pushing.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

type Rows = Readonly<Record<'push' | 'chunked' | 'put' | 'post' | 'pull' | 'pullFour' | 'memory', Row>>;

function rowsOf({ largeSize }: Settings): Rows {
  const size = formatSize(largeSize);
  const rate = { unit: 'GB/s', better: 'higher', onlyBlobs: true } as const;
  return {
    push: { id: 'push-large', title: `${size} push, one PATCH + PUT`, ...rate, writes: true },
    chunked: { id: 'push-large-chunked', title: `${size} push, chunked PATCH + PUT`, ...rate, writes: true },
    put: { id: 'push-large-put', title: `${size} push, one PUT`, ...rate, writes: true },
    post: { id: 'push-large-post', title: `${size} push, one POST`, ...rate, writes: true },
    pull: { id: 'pull-large', title: `${size} pull`, ...rate },
    pullFour: { id: 'pull-large-4', title: `${size} pull, 4 at a time`, ...rate },
    memory: { id: 'memory-large', title: `peak memory, after ${size} blobs`, unit: 'MiB', better: 'lower' },
  };
}

const knownDigests = new Map<string, string>();

/** The digest of a blob of this size and seed, which is computed once. */
export function knownDigest(size: number, seed?: number): string {
  const key = `${size}:${seed}`;
  const digest = knownDigests.get(key) ?? largeDigest(size, seed);
  knownDigests.set(key, digest);
  return digest;
}

/** Other shapes of a push. Each has a blob of its own, as a registry may know the other ones. */
const shapes = [
  { row: 'chunked', flow: 'chunked', seed: 61 },
  { row: 'put', flow: 'post-put', seed: 62 },
  { row: 'post', flow: 'post', seed: 63 },
] as const;

/** Pushes and pulls one large blob. */
export const large: Work = {
  name: 'large',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.copy === undefined,
  async run(bench) {
    const rows = rowsOf(bench.settings);
    const { largeSize: size } = bench.settings;
    const digest = knownDigest(size);
    const repository = 'bench/large';
    const pushed: Load[] = [];
    const push = async (): Promise<Load> => {
      const load = await bench.prepare('pushLarge', { port: bench.port, repository, digest, size, flow: 'patch' });
      pushed.push(load);
      return load;
    };
    await bench.measure(rows.push, async () => throughput(await push(), size), size);
    for (const { row, flow, seed } of shapes) {
      await bench.measure(rows[row], () => pushInShape(bench, repository, size, flow, seed), size);
    }
    if (!bench.wants(rows.pull, rows.pullFour)) return bench.measureMemory(rows.memory);

    if (pushed.length === 0) await push();
    const path = `/v2/${repository}/blobs/${digest}`;
    await check(bench, path, digest);
    for (const [row, parallel] of [
      [rows.pull, 1],
      [rows.pullFour, 4],
    ] as const) {
      await bench.measure(row, async () => {
        const options = { port: bench.port, path, size, parallel };
        // Do not measure the first pull: it runs cold code and allocates buffers.
        await bench.prepare('pullLarge', options);
        return throughput(await bench.prepare('pullLarge', options), size);
      });
    }
    await bench.measureMemory(rows.memory);
  },
};

export function throughput({ done, seconds, busy, errors, firstError }: Load, size: number): Measured {
  if (errors > 0) throw new Error(firstError);
  return { value: (done * size) / seconds / 1e9, busy, generator: 'own' };
}

async function pushInShape(
  bench: Bench,
  repository: string,
  size: number,
  flow: BlobFlow,
  seed: number,
): Promise<Measured> {
  const { port } = bench;
  // A small blob tells first whether the registry has this shape.
  await unlessUnsupported([202, 400, 404, 405, 411, 416], () =>
    bench.prepare('pushOneBlob', { port, repository, flow, seed }),
  );
  const load = await bench.prepare('pushLarge', {
    port,
    repository,
    digest: knownDigest(size, seed),
    size,
    seed,
    flow,
  });
  return throughput(load, size);
}

/** Pulls the blob once and checks every byte, except with the bare server, which has other bytes. */
async function check(bench: Bench, path: string, digest: string): Promise<void> {
  if (bench.system.kind === 'bare') return;
  const response = await fetch(`http://127.0.0.1:${bench.port}${path}`);
  const sum = createHash('sha256');
  for await (const piece of response.body ?? []) sum.update(piece as Uint8Array);
  const found = `sha256:${sum.digest('hex')}`;
  if (found !== digest) throw new Error(`GET ${path}: HTTP ${response.status}, and ${found} came`);
}

export function formatSize(bytes: number): string {
  const mebibytes = bytes / largePiece().length;
  return mebibytes >= 1024 ? `${mebibytes / 1024} GiB` : `${mebibytes} MiB`;
}
