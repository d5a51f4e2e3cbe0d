// Work: the start of a server.
import { imageManifestType, smallImage, tagName } from '../content.ts';
import { median } from '../statistics.ts';
import type { Bench, Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

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

type KillRows = Readonly<Record<'answer' | 'tag', Row>>;

function killRowsOf({ pushesBeforeKill }: Settings): KillRows {
  const after = `after a kill amid ${pushesBeforeKill.toLocaleString('en')} small pushes`;
  return {
    answer: { id: 'start-killed', title: `start to the first answer, ${after}`, unit: 'ms', better: 'lower' },
    tag: { id: 'start-killed-tag', title: `start to the last pushed tag, ${after}`, unit: 'ms', better: 'lower' },
  };
}

/** Kills the server while many small pushes run, and measures the next start. */
export const startAfterKill: Work = {
  name: 'start after a kill',
  rows: (settings) => Object.values(killRowsOf(settings)),
  // A slow peer would take minutes for the pushes. Peers write nothing later that a start would have to look at.
  concerns: (system) => system.kind === 'ocikit' && system.copy === undefined && system.medium === 'disk',
  async run(bench) {
    const rows = killRowsOf(bench.settings);
    const { pushesBeforeKill: count, connections } = bench.settings;
    const repository = 'bench/killed';
    const options = { port: bench.port, repository, connections };
    await bench.prepare('pushFirstBlobs', { port: bench.port, repository });
    await bench.prepare('pushTags', { ...options, first: 0, count });
    // These pushes are cut off by the kill.
    const cutOff = bench.prepare('pushTags', { ...options, first: count, count }).then(
      () => undefined,
      () => undefined,
    );
    await bench.kill();
    await cutOff;
    let total = NaN;
    await bench.measure(rows.answer, async () => {
      const started = performance.now();
      const value = await bench.start();
      await findTag(bench, repository, count - 1);
      total = performance.now() - started;
      return { value };
    });
    if (!Number.isNaN(total)) await bench.record(rows.tag, total);
  },
};

/** Checks that an acknowledged tag has survived. */
function findTag(bench: Bench, repository: string, number: number): Promise<void> {
  const { digest } = smallImage(0).manifest;
  const paths = [`/v2/${repository}/manifests/${tagName(number)}`];
  return bench.check({ method: 'GET', paths, headers: `Accept: ${imageManifestType}\r\n` }, ({ body }) =>
    body.length > 0 && digest !== '' ? undefined : 'an acknowledged tag is lost',
  );
}
