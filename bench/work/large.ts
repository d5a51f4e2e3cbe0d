// Work: pushing and pulling one large blob.
import { createHash } from 'node:crypto';

import { largeDigest, largePiece } from '../content.ts';
import type { Bench, Measured, Work } from '../bench.ts';
import type { Load } from '../load/closed-loop.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

type Rows = Readonly<Record<'push' | 'pull' | 'pullFour' | 'memory', Row>>;

function rowsOf({ largeSize }: Settings): Rows {
  const size = formatSize(largeSize);
  const rate = { unit: 'GB/s', better: 'higher', onlyBlobs: true } as const;
  return {
    push: { id: 'push-large', title: `${size} push, one PATCH + PUT`, ...rate, writes: true },
    pull: { id: 'pull-large', title: `${size} pull`, ...rate },
    pullFour: { id: 'pull-large-4', title: `${size} pull, 4 at a time`, ...rate },
    memory: { id: 'memory-large', title: `peak memory, after ${size} blobs`, unit: 'MiB', better: 'lower' },
  };
}

let known: { readonly size: number; readonly digest: string } | undefined;

/** Pushes and pulls one large blob. */
export const large: Work = {
  name: 'large',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.copy === undefined,
  async run(bench) {
    const rows = rowsOf(bench.settings);
    const { largeSize: size } = bench.settings;
    if (known?.size !== size) known = { size, digest: largeDigest(size) };
    const { digest } = known;
    const repository = 'bench/large';
    const pushed: Load[] = [];
    const push = async (): Promise<Load> => {
      const load = await bench.prepare('pushLarge', { port: bench.port, repository, digest, size });
      pushed.push(load);
      return load;
    };
    await bench.measure(rows.push, async () => throughput(await push(), size), size);
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

function throughput({ done, seconds, busy, errors, firstError }: Load, size: number): Measured {
  if (errors > 0) throw new Error(firstError);
  return { value: (done * size) / seconds / 1e9, busy, generator: 'own' };
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
