// Work: copying large images into a layout.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import type { Bench, Work } from '../bench.ts';
import { largeDigest } from '../content.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import { formatSize } from './large.ts';

const repository = 'bench/copy';

/** An image to copy. Its layers are made from their seeds. */
interface CopiedImage {
  readonly tag: string;
  readonly seeds: readonly number[];
  readonly layerSize: number;
  readonly speed: Row;
  readonly memory: Row;
}

function imagesOf({ largeSize }: Settings): readonly CopiedImage[] {
  return [image('one', [101], largeSize), image('eight', [201, 202, 203, 204, 205, 206, 207, 208], largeSize / 8)];
}

function image(tag: string, seeds: readonly number[], layerSize: number): CopiedImage {
  const layers =
    seeds.length === 1 ? `a layer of ${formatSize(layerSize)}` : `${seeds.length} × ${formatSize(layerSize)}`;
  return {
    tag,
    seeds,
    layerSize,
    speed: {
      id: `copy-to-layout-${tag}`,
      title: `image into a layout: ${layers}`,
      unit: 'GB/s',
      better: 'higher',
      writes: true,
    },
    memory: {
      id: `memory-copy-to-layout-${tag}`,
      title: `peak memory of who copies ${layers}`,
      unit: 'MiB',
      better: 'lower',
    },
  };
}

const digests = new Map<string, string>();

function digestOfLayer(seed: number, size: number): string {
  const key = `${seed}:${size}`;
  const digest = digests.get(key) ?? largeDigest(size, seed);
  digests.set(key, digest);
  return digest;
}

/** Copies large images from a server into a directory. The start of the program counts, as it does for its user. */
export const copying: Work = {
  name: 'copying',
  rows: (settings) => imagesOf(settings).flatMap(({ speed, memory }) => [speed, memory]),
  concerns: (system) => system.copy !== undefined,
  async run(bench) {
    for (const each of imagesOf(bench.settings)) if (bench.wants(each.speed, each.memory)) await copy(bench, each);
  },
};

async function copy(bench: Bench, { tag, seeds, layerSize, speed, memory }: CopiedImage): Promise<void> {
  const layers = seeds.map((seed) => ({ seed, size: layerSize, digest: digestOfLayer(seed, layerSize) }));
  const pushed = await fetch(`http://127.0.0.1:${bench.port}/v2/${repository}/manifests/${tag}`, { method: 'HEAD' });
  if (pushed.status !== 200) await bench.prepare('pushLayers', { port: bench.port, repository, tag, layers });

  const directory = bench.scratch.newPath(`copy-${tag}`);
  let peak: number | undefined;
  const run = async (): Promise<number> => {
    const { seconds, peakMemory } = await bench.copy({ host: `127.0.0.1:${bench.port}`, repository, tag, directory });
    peak = peakMemory;
    for (const { digest, size } of layers) {
      const file = join(directory, 'blobs', digest.replace(':', '/'));
      const found = await stat(file);
      if (found.size !== size) throw new Error(`${file} has ${found.size} bytes instead of ${size}`);
    }
    return seconds;
  };
  try {
    const size = seeds.length * layerSize;
    await bench.measure(speed, async () => ({ value: size / (await run()) / 1e9 }), size);
    if (!bench.wants(speed)) await run();
    if (peak !== undefined) await bench.record(memory, peak);
  } finally {
    // Remove the copy, as the disk has room for a few of them only.
    await bench.scratch.removePath(directory);
  }
}
