// Work: long lists.
import { imageManifestType, smallImage } from '../content.ts';
import { bodyOf, entriesIn, unlessUnsupported } from '../bench.ts';
import type { Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

function rowsOf({
  manyRepositories,
  manyReferrers,
}: Settings): Readonly<Record<'catalog' | 'referrers' | 'memory', Row>> {
  const rate = { unit: '/s', better: 'higher' } as const;
  const repositories = manyRepositories.toLocaleString('en');
  return {
    catalog: { id: 'catalog', title: `catalog, the first page among ${repositories} repositories`, ...rate },
    referrers: { id: 'referrers', title: `referrers, all ${manyReferrers.toLocaleString('en')}`, ...rate },
    memory: { id: 'memory-lists', title: 'peak memory, after these lists', unit: 'MiB', better: 'lower' },
  };
}

/** Lists many tags, repositories and referrers. */
export const lists: Work = {
  name: 'lists',
  rows: (settings) => Object.values(rowsOf(settings)),
  concerns: (system) => system.readsLike === undefined && system.copy === undefined,
  async run(bench) {
    const { manyRepositories, manyReferrers } = bench.settings;
    const { port } = bench;
    const rows = rowsOf(bench.settings);
    const numbers = { port, connections: 8, first: 0 };
    if (bench.wants(rows.catalog)) {
      await bench.prepare('pushRepositories', { ...numbers, repository: 'bench/catalog', count: manyRepositories });
    }
    // Not all peers support `last`.
    const entries = Math.min(100, manyRepositories / 2);
    const page = [`/v2/_catalog?n=${entries}`];
    await bench.measure(rows.catalog, () =>
      bench.askRate({ method: 'GET', paths: page, headers: '' }, entriesIn('repositories', entries)),
    );

    await bench.measure(rows.referrers, async () => {
      const repository = 'bench/referrers';
      const { manifest } = smallImage(0);
      const paths = [`/v2/${repository}/referrers/${manifest.digest}`];
      await bench.prepare('pushFirstBlobs', { port, repository });
      await bench.prepare('pushTags', { ...numbers, repository, count: 1 });
      const known = { method: 'HEAD', paths: [`/v2/${repository}/manifests/${manifest.digest}`], headers } as const;
      await bench.check(known, bodyOf(manifest.bytes.length));
      const request = { method: 'GET', paths, headers: '' } as const;
      await unlessUnsupported([404], () => bench.check(request, entriesIn('manifests', 0)));
      await bench.prepare('pushReferrers', { ...numbers, repository, count: manyReferrers });
      return bench.askRate(request, entriesIn('manifests', manyReferrers));
    });
    await bench.measureMemory(rows.memory);
  },
};

const headers = `Accept: ${imageManifestType}\r\n`;
