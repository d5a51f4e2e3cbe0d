// Work: the cost of requests as the number of tags grows.
import { imageManifest, imageManifestType, smallImage, tagName } from '../content.ts';
import { Absent, bodyOf, entriesIn } from '../bench.ts';
import type { Bench, Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';
import type { System } from '../systems/system.ts';
import { planGrowth, probesAt } from './growth-plan.ts';
import type { Stretch } from './growth-plan.ts';

const repository = 'bench/growth';
const headers = `Accept: ${imageManifestType}\r\n`;

/** The rows for one number of tags. */
type RowsAt = Readonly<Record<'push' | 'resolve' | 'list' | 'memory' | 'start', Row>>;

function rowsAt(size: number): RowsAt {
  const tags = `${size.toLocaleString('en')} tags`;
  return {
    push: {
      id: `growth-push-${size}`,
      title: `tag push, at ${tags}, one at a time`,
      unit: 'ms',
      better: 'lower',
      writes: true,
    },
    resolve: { id: `growth-resolve-${size}`, title: `tag HEAD among ${tags}`, unit: '/s', better: 'higher' },
    list: { id: `growth-list-${size}`, title: `tag list, a page among ${tags}`, unit: '/s', better: 'higher' },
    memory: { id: `growth-memory-${size}`, title: `peak memory, at ${tags}`, unit: 'MiB', better: 'lower' },
    start: {
      id: `growth-start-${size}`,
      title: `start to the first tag's answer, at ${tags}`,
      unit: 'ms',
      better: 'lower',
    },
  };
}

type Tenths = Readonly<Record<'first' | 'last' | 'flatness', Row>>;

function tenthsRows({ growthOfAll }: Settings): Tenths {
  const of = `of ${growthOfAll.toLocaleString('en')}`;
  return {
    first: {
      id: 'growth-first-tenth',
      title: `tag push, first tenth ${of}`,
      unit: 'ms',
      better: 'lower',
      writes: true,
    },
    last: { id: 'growth-last-tenth', title: `tag push, last tenth ${of}`, unit: 'ms', better: 'lower', writes: true },
    flatness: { id: 'growth-flatness', title: `tag push, last tenth against first ${of}`, unit: '×', better: 'lower' },
  };
}

/** Measures how costs depend on the number of tags of a repository. */
export const growth: Work = {
  name: 'growth',
  rows(settings) {
    const at = settings.growth.map((size) => ({ size, rows: rowsAt(size) }));
    const large = at.filter(({ size }) => size >= settings.growthOfAll);
    return [
      ...at.map(({ rows }) => rows.push),
      ...Object.values(tenthsRows(settings)),
      ...at.map(({ rows }) => rows.resolve),
      ...at.map(({ rows }) => rows.list),
      ...large.map(({ rows }) => rows.start),
      ...large.map(({ rows }) => rows.memory),
    ];
  },
  concerns: (system) => system.kind !== 'bare' && system.copy === undefined,
  async run(bench) {
    const tags = new GrowingTags(bench);
    await tags.begin();
    const sizes = sizesFor(bench);
    for (const stretch of planGrowth(sizes, bench.settings.growthOfAll)) {
      await tags.push(stretch);
      if (sizes.includes(stretch.to)) await look(bench, stretch.to, tags);
    }
  },
};

/** The size to which the system grows, as far as the rows need it. */
function sizesFor(bench: Bench): number[] {
  const { system, settings } = bench;
  const reachable = settings.growth.filter((size) => goesTo(system, settings, size));
  const { first, last, flatness } = tenthsRows(settings);
  const needed = reachable.filter(
    (size) =>
      bench.wants(...Object.values(rowsAt(size))) ||
      (size === settings.growthOfAll && bench.wants(first, last, flatness)),
  );
  return reachable.filter((size) => size <= Math.max(...needed));
}

function goesTo(system: System, settings: Settings, size: number): boolean {
  return system.kind === 'ocikit' || size <= settings.growthOfAll;
}

/** Measures everything once the repository has reached a size. */
async function look(bench: Bench, size: number, tags: GrowingTags): Promise<void> {
  const { growthOfAll } = bench.settings;
  const rows = rowsAt(size);
  await bench.record(rows.push, tags.meanMilliseconds(size - probesAt(size), size));
  if (size === growthOfAll) {
    const tenths = tenthsRows(bench.settings);
    const first = tags.meanMilliseconds(0, size / 10);
    const last = tags.meanMilliseconds(size - size / 10, size);
    await bench.record(tenths.first, first);
    await bench.record(tenths.last, last);
    await bench.record(tenths.flatness, last / first);
  }

  // Use a limited number of tags, spread over all of them.
  const count = Math.min(size, 5000);
  const numbers = Array.from({ length: count }, (_, i) => Math.floor(((i * 7919) % count) * (size / count)));
  const paths = numbers.map((number) => `/v2/${repository}/manifests/${tagName(number)}`);
  const { length } = manifestOf(0).bytes;
  await bench.measure(rows.resolve, () => bench.askRate({ method: 'HEAD', paths, headers }, bodyOf(length)));
  const page = [`/v2/${repository}/tags/list?n=100&last=${tagName(size / 2 - 1)}`];
  const entries = Math.min(100, size / 2);
  await bench.measure(rows.list, () =>
    bench.askRate({ method: 'GET', paths: page, headers: '' }, entriesIn('tags', entries)),
  );
  if (size < growthOfAll) return;
  await bench.measureMemory(rows.memory);
  await measureRestart(bench, rows.start, size);
}

async function measureRestart(bench: Bench, row: Row, size: number): Promise<void> {
  if (!bench.wants(row)) return;
  if (bench.system.medium !== 'disk') {
    await bench.measure(row, () => Promise.reject(new Absent('its tags are in memory')));
    return;
  }
  await bench.stop();
  let milliseconds = 0;
  await bench.measure(row, async () => {
    milliseconds = await bench.start();
    const asked = performance.now();
    const path = `/v2/${repository}/manifests/${tagName(size - 1)}`;
    await bench.check({ method: 'HEAD', paths: [path], headers }, bodyOf(manifestOf(0).bytes.length));
    return { value: milliseconds + performance.now() - asked };
  });
}

/** The tags of one repository, and the durations of their pushes. */
class GrowingTags {
  readonly #bench: Bench;
  readonly #timed: { from: number; to: number; seconds: number }[] = [];
  readonly #until: number;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#until = performance.now() + bench.settings.growthLimit * 1000;
  }

  /** Pushes the blobs, and warms the process up in another repository, as the first pushes take longer. */
  async begin(): Promise<void> {
    const { port, settings } = this.#bench;
    const count = settings.quick ? 50 : 500;
    for (const warm of [repository, 'bench/warm'])
      await this.#bench.prepare('pushFirstBlobs', { port, repository: warm });
    await this.#bench.prepare('pushTags', { port, repository: 'bench/warm', connections: 1, first: 0, count });
  }

  async push({ from, to, timed }: Stretch): Promise<void> {
    if (timed) await this.#bench.settle();
    const slice = timed ? to - from : 500;
    for (let first = from; first < to; first += slice) {
      if (performance.now() > this.#until) {
        throw new Absent(`only ${first} tags after ${this.#bench.settings.growthLimit} s`);
      }
      const count = Math.min(slice, to - first);
      const connections = timed ? 1 : this.#bench.settings.connections;
      const options = { port: this.#bench.port, repository, connections, first, count };
      const { seconds } = await this.#bench.prepare('pushTags', options);
      if (timed) this.#timed.push({ from, to, seconds });
    }
  }

  /** Returns the mean duration of the pushes between two numbers, all of which have to be timed. */
  meanMilliseconds(from: number, to: number): number {
    const within = this.#timed.filter((stretch) => stretch.from >= from && stretch.to <= to);
    return (1000 * within.reduce((sum, { seconds }) => sum + seconds, 0)) / (to - from);
  }
}

function manifestOf(number: number): { bytes: Buffer } {
  const { config, layer } = smallImage(0);
  return imageManifest(config, layer, number);
}
