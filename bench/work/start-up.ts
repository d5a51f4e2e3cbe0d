// Work: the start of a server.
import { median } from '../statistics.ts';
import type { Work } from '../bench.ts';
import type { Row } from '../results.ts';

const starts = 3;
const row: Row = { id: 'start', title: 'start to the first answer, empty', unit: 'ms', better: 'lower' };
const memory: Row = { id: 'memory-start', title: 'peak memory, after the start', unit: 'MiB', better: 'lower' };

/** Measures the time from the start of the process to the answer to `GET /v2/`. */
export const startUp: Work = {
  name: 'start',
  rows: () => [row, memory],
  concerns: (system) => system.copy === undefined,
  async run(bench) {
    await bench.measure(row, async () => {
      const milliseconds: number[] = [];
      for (let i = 0; i < starts; i += 1) {
        await bench.stop();
        milliseconds.push(await bench.start());
      }
      return { value: median(milliseconds) };
    });
    await bench.measureMemory(memory);
  },
};
