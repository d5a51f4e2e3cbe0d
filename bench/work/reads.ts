// Work: small reads.
import { imageManifest, imageManifestType, smallImage, tagName } from '../content.ts';
import { bodyOf, entriesIn } from '../bench.ts';
import type { Bench, Work } from '../bench.ts';
import type { Row } from '../results.ts';
import type { Settings } from '../settings.ts';

const accept = `Accept: ${imageManifestType}\r\n`;

function rowsOf({
  manyTags,
}: Settings): Record<'one' | 'many', readonly Row[]> & { blobs: readonly Row[]; memory: Row } {
  const rate = { unit: '/s', better: 'higher' } as const;
  const tags = manyTags.toLocaleString('en');
  return {
    one: [
      { id: 'get-tag', title: 'manifest GET by tag, 1 tag', ...rate },
      { id: 'get-digest', title: 'manifest GET by digest, 1 tag', ...rate },
      { id: 'head-tag', title: 'manifest HEAD by tag, 1 tag', ...rate },
    ],
    many: [
      { id: 'get-tag-many', title: `manifest GET by tag, ${tags} tags in turn`, ...rate },
      { id: 'get-digest-many', title: `manifest GET by digest, ${tags} in turn`, ...rate },
      { id: 'head-tag-many', title: `manifest HEAD by tag, ${tags} tags in turn`, ...rate },
    ],
    blobs: [
      { id: 'head-blob', title: 'blob HEAD', ...rate, onlyBlobs: true },
      { id: 'get-blob', title: '4 KiB blob GET', ...rate, onlyBlobs: true },
      { id: 'list-tags', title: `tag list, a page of 100 among ${tags}`, ...rate },
    ],
    memory: { id: 'memory-reads', title: 'peak memory, after these reads', unit: 'MiB', better: 'lower' },
  };
}

/** Reads small content at the highest rate. */
export const reads: Work = {
  name: 'reads',
  rows(settings) {
    const { one, many, blobs, memory } = rowsOf(settings);
    return [...one, ...many, ...blobs, memory];
  },
  concerns: (system) => system.readsLike === undefined && system.copy === undefined,
  async run(bench) {
    const { one, many, blobs, memory } = rowsOf(bench.settings);
    await fill(bench, 'bench/one', 1);
    await measureManifests(bench, one, 'bench/one', 1);
    if (bench.wants(...many, ...blobs)) await fill(bench, 'bench/many', bench.settings.manyTags);
    await measureManifests(bench, many, 'bench/many', bench.settings.manyTags);
    await measureBlobsAndTags(bench, blobs);
    await bench.measureMemory(memory);
  },
};

async function fill(bench: Bench, repository: string, tags: number): Promise<void> {
  const { port } = bench;
  await bench.prepare('pushFirstBlobs', { port, repository });
  await bench.prepare('pushTags', { port, repository, connections: 8, first: 0, count: tags });
}

/** Reads by tag, by digest, and with HEAD. */
async function measureManifests(bench: Bench, rows: readonly Row[], repository: string, tags: number): Promise<void> {
  const { config, layer } = smallImage(0);
  const manifests = Array.from({ length: tags }, (_, number) => imageManifest(config, layer, number));
  // Spread consecutive requests over the tags: the step has no common factor with a power of ten.
  const shuffled = manifests.map((_, i) => (i * 7919) % tags);
  const byTag = shuffled.map((number) => `/v2/${repository}/manifests/${tagName(number)}`);
  const byDigest = shuffled.map((number) => `/v2/${repository}/manifests/${manifests[number]?.digest}`);
  const length = bodyOf(manifests[0]?.bytes.length ?? 0);
  const [getTag, getDigest, headTag] = rows as readonly [Row, Row, Row];
  const headers = accept;
  await bench.measure(getTag, () => bench.askRate({ method: 'GET', paths: byTag, headers }, length));
  await bench.measure(getDigest, () => bench.askRate({ method: 'GET', paths: byDigest, headers }, length));
  await bench.measure(headTag, () => bench.askRate({ method: 'HEAD', paths: byTag, headers }, length));
}

async function measureBlobsAndTags(bench: Bench, rows: readonly Row[]): Promise<void> {
  const { layer } = smallImage(0);
  const blob = [`/v2/bench/many/blobs/${layer.digest}`];
  const page = [`/v2/bench/many/tags/list?n=100&last=${tagName(bench.settings.manyTags / 2 - 1)}`];
  const [headBlob, getBlob, listTags] = rows as readonly [Row, Row, Row];
  const length = bodyOf(layer.bytes.length);
  const entries = entriesIn('tags', Math.min(100, bench.settings.manyTags / 2));
  await bench.measure(headBlob, () => bench.askRate({ method: 'HEAD', paths: blob, headers: '' }, length));
  await bench.measure(getBlob, () => bench.askRate({ method: 'GET', paths: blob, headers: '' }, length));
  await bench.measure(listTags, () => bench.askRate({ method: 'GET', paths: page, headers: '' }, entries));
}
