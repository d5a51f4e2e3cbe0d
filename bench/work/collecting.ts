// Work: pushes beside garbage collection.
import type { Bench, Work } from '../bench.ts';
import type { Row } from '../results.ts';

const rate = { unit: '/s', better: 'higher', writes: true } as const;
const without: Row = { id: 'push-image-no-gc', title: 'small image push, after 2 s of pushes', ...rate };
const beside: Row = { id: 'push-image-gc', title: 'small image push, the same beside garbage collection', ...rate };
const share: Row = {
  id: 'push-image-gc-share',
  title: 'pushes beside garbage collection against without',
  unit: '×',
  better: 'higher',
};

/** Pushes images with and without `--gc`. Only ocikit has its flag; the peers collect once an hour, or by hand. */
export const collecting: Work = {
  name: 'collecting',
  rows: () => [without, beside, share],
  concerns: (system) => system.kind === 'ocikit' && system.copy === undefined && system.medium === 'disk',
  async run(bench) {
    const rates: number[] = [];
    for (const [row, flags] of [
      [without, []],
      [beside, ['--gc', '1s', '--gc-grace', '1s']],
    ] as const) {
      await bench.stop();
      await bench.start({ flags });
      await bench.measure(row, async () => {
        const measured = await push(bench, row.id);
        rates.push(measured.value);
        return measured;
      });
    }
    const [usual, collected] = rates;
    if (usual !== undefined && collected !== undefined) await bench.record(share, collected / usual);
  },
};

function push(bench: Bench, name: string): ReturnType<Bench['rate']> {
  const { seconds, connections, quick } = bench.settings;
  // Two collections have begun before the time counts, and more run in it.
  const loop = { port: bench.port, connections, seconds: quick ? 1 : Math.max(3, seconds), warmUp: quick ? 1 : 2 };
  return bench.rate('pushImages', { ...loop, repository: `bench/${name}` });
}
