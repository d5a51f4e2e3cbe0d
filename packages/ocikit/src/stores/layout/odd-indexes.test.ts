// Indexes of other tools in every shape that JSON allows: what they wrote stays as it is, byte for byte.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { writeBlobs } from '../../../test/write-blobs.ts';
import { collect } from '../../model/index.ts';
import { blobOf, imageOf, indexOf, pushContent } from '../../testing/index.ts';
import type { TestManifest } from '../../testing/index.ts';
import { collectGarbage } from '../../upkeep/index.ts';

import { openLayout, openLayouts } from './index.ts';
import type { LayoutRegistry } from './index.ts';

/** How many indexes are tried: the same ones each time, or with `ODD_INDEXES` that many others. */
const runs = Number(process.env['ODD_INDEXES'] ?? 20);
const seed = process.env['ODD_INDEXES'] === undefined ? { seed: 1 } : {};
const images = [imageOf(), imageOf(), imageOf()];
const lists = [indexOf(images.slice(0, 2)), indexOf([indexOf([imageOf()]), images[2] ?? imageOf()])];
const all: TestManifest[] = [...images, ...lists];
const absent = imageOf();

/** A text, and every byte in it. Two tests of one text are equal if their bytes are. */
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
const quoted = (value: string): string => text(Buffer.from(JSON.stringify(value)));

const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n', '\t', ' \n  ');
const digits = fc.constantFrom('0', '-0', '1', '1e400', '1.0', '1E+2', '12345678901234567890123', '0.1000');
const words = fc.constantFrom('true', 'false', 'null');
const oddTexts = fc.constantFrom(
  '""',
  '"\\u0041\\/b"',
  '"\\ud800"',
  '"]},{["',
  '"\\""',
  '"\\\\"',
  quoted('\u{1F600} ä'),
  '"\\u2028"',
  '"__proto__"',
  // Bytes that are not UTF-8, and the first one of a character.
  '"\xff\xc3"',
);

/** JSON with odd spaces, numbers, escapes and repeated names. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    fc.oneof(digits, words, oddTexts),
    fc
      .tuple(fc.array(tie('json'), { maxLength: 3 }), space)
      .map(([items, gap]) => `[${gap}${items.join(`${gap},`)}${gap}]`),
    fc
      .tuple(fc.array(fc.tuple(oddTexts, tie('json')), { maxLength: 3 }), space)
      .map(([fields, gap]) => `{${gap}${fields.map(([name, value]) => `${name}${gap}:${value}`).join(`,${gap}`)}}`),
  ),
}));

const refNames = [
  'v1',
  'latest',
  'app:v1',
  'app:latest',
  'Foo:Bar',
  '@sha256:1',
  'v1@sha256:2',
  'host:5000/a:1',
  '..',
  '',
];
const nameValue = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...refNames).map(quoted) },
  { weight: 1, arbitrary: json },
);
const annotations = fc
  .tuple(
    fc.option(nameValue.map((value) => ['"org.opencontainers.image.ref.name"', value])),
    fc.option(nameValue.map((value) => ['"io.containerd.image.name"', value])),
    fc.option(
      json.map((value) => ['"dev.ocikit.unowned"', value]),
      { freq: 8 },
    ),
    fc.array(fc.tuple(oddTexts, json), { maxLength: 2 }),
  )
  .chain(([refName, imageName, unowned, others]) => {
    const fields = [refName, imageName, unowned, ...others].flatMap((field) => (field === null ? [] : [field]));
    return fc.shuffledSubarray(fields, { minLength: fields.length });
  });
const objectOf = (fields: readonly (readonly string[])[], gap: string): string =>
  `{${gap}${fields.map(([name, value]) => `${name}:${gap}${value}`).join(`,${gap}`)}${gap}}`;

/** An entry, mostly of a manifest that is there. */
const entry = fc
  .record({
    of: fc.constantFrom(...all, ...all, absent),
    annotations: fc.option(fc.oneof({ weight: 8, arbitrary: annotations }, { weight: 1, arbitrary: json })),
    odd: fc.option(fc.tuple(fc.constantFrom('"mediaType"', '"digest"', '"size"', '"platform"', '"urls"'), json), {
      freq: 5,
    }),
    more: fc.array(fc.tuple(oddTexts, json), { maxLength: 2 }),
    gap: space,
  })
  .chain(({ of: { descriptor }, annotations: notes, odd, more, gap }) => {
    const fields: (readonly string[])[] = [
      ['"mediaType"', quoted(descriptor.mediaType)],
      ['"digest"', quoted(descriptor.digest)],
      ['"size"', String(descriptor.size)],
      ...(notes === null ? [] : [['"annotations"', typeof notes === 'string' ? notes : objectOf(notes, gap)]]),
      ...(odd === null ? [] : [odd]),
      ...more,
    ];
    return fc.shuffledSubarray(fields, { minLength: fields.length }).map((shuffled) => objectOf(shuffled, gap));
  });
const element = fc.oneof({ weight: 12, arbitrary: entry }, { weight: 1, arbitrary: json });

interface Parts {
  head: (readonly [name: string, value: string])[];
  elements: string[];
}

const headName = fc.constantFrom('"annotations"', '"subject"', '"x"', '"1"', '"__proto__"', '"artifactType"');
const parts: fc.Arbitrary<Parts> = fc.record({
  head: fc.uniqueArray(fc.tuple(headName, json), { maxLength: 3, selector: ([name]) => name }),
  elements: fc.array(element, { maxLength: 6 }),
});

/** The ways in which tools write a whole index. */
const format = fc.record({
  gap: space,
  hasMark: fc.boolean(),
  isLast: fc.boolean(),
  end: fc.constantFrom('', '\n', '\r\n '),
});

function indexText(
  { head, elements }: Parts,
  { gap, hasMark, isLast, end }: typeof format extends fc.Arbitrary<infer T> ? T : never,
): string {
  const manifests = ['"manifests"', `[${gap}${elements.join(`${gap},${gap}`)}${gap}]`] as const;
  const version = ['"schemaVersion"', '2'] as const;
  const fields = isLast ? [version, ...head, manifests] : [manifests, ...head, version];
  return `${hasMark ? '\xef\xbb\xbf' : ''}${gap}${objectOf(fields, gap)}${end}`;
}

/** The elements and other fields of an index, each with its own text. */
function partsIn(index: string): Parts {
  const found: Parts = { head: [], elements: [] };
  let at = index.indexOf('{') + 1;
  const skip = (): void => {
    while (/[\s,:]/.test(index[at] ?? '')) at++;
  };
  const value = (): string => {
    skip();
    const start = at;
    let depth = 0;
    do {
      if (index[at] === '"') for (at++; index[at] !== '"'; at++) if (index[at] === '\\') at++;
      if (/[[{]/.test(index[at] ?? '')) depth++;
      if (/[\]}]/.test(index[at] ?? '')) depth--;
      at++;
    } while (depth > 0 || (!/["\]}]/.test(index[at - 1] ?? '') && !/[\s,\]}]/.test(index[at] ?? ',')));
    return index.slice(start, at);
  };
  for (skip(); index[at] === '"'; skip()) {
    const name = value();
    skip();
    if (name !== '"manifests"') {
      found.head.push([name, value()]);
      continue;
    }
    at++;
    for (skip(); index[at] !== ']'; skip()) found.elements.push(value());
    at++;
  }
  return found;
}

function missing(expected: readonly string[], found: readonly string[]): string[] {
  const left = [...found];
  return expected.filter((one) => {
    const at = left.indexOf(one);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

describe.each([
  ['a shared layout', openLayout, ''],
  ['a layout for each repository', openLayouts, 'app'],
] as const)('an index of other tools in %s', (_kind, open, directory) => {
  const run = async (check: (dir: string, registry: () => LayoutRegistry) => Promise<void>): Promise<void> => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-odd-'));
    let registry: LayoutRegistry | undefined;
    try {
      await check(dir, () => (registry ??= open(dir, { durability: 'none' })));
    } finally {
      await registry?.close();
      await rm(dir, { recursive: true });
    }
  };
  const expectAll = async (path: string, { head, elements }: Parts): Promise<void> => {
    const found = partsIn(text(await readFile(path)));
    expect(missing(elements, found.elements)).toEqual([]);
    const fields = found.head.map((field) => field.join(':'));
    expect(
      missing(
        head.map((field) => field.join(':')),
        fields,
      ),
    ).toEqual([]);
  };

  test(
    'has every entry and field as it was, after a push, a collection, and a push',
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(parts, format, async (theirs, form) =>
          run(async (dir, registry) => {
            const base = join(dir, directory);
            const path = join(base, 'index.json');
            await writeBlobs(base, ...all, blobOf('garbage'));
            await writeFile(join(base, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
            await writeFile(path, bytesOf(indexText(theirs, form)));
            await pushContent(registry(), 'app', imageOf(), { tags: ['pushed-1'] });
            await registry().fold();
            await expectAll(path, theirs);
            await new Promise((resolve) => setTimeout(resolve, 3));
            await collectGarbage(registry(), { gracePeriod: 0 });
            await pushContent(registry(), 'app', imageOf(), { tags: ['pushed-2'] });
            await registry().fold();
            await expectAll(path, theirs);
            const tags = await collect(registry().tags('app'));
            expect(tags).toEqual(expect.arrayContaining(['pushed-1', 'pushed-2']));
            expect(new Set(tags).size).toBe(tags.length);
            const named = JSON.stringify(theirs.elements);
            for (const { descriptor } of all) {
              if (!named.includes(descriptor.digest)) continue;
              await readFile(join(base, 'blobs', descriptor.digest.replace(':', '/')));
            }
          }),
        ),
        { numRuns: runs, endOnFailure: true, ...seed },
      );
    },
  );

  test('has what several tools wrote in turn beside pushes and collections', { timeout: 120_000 }, async () => {
    const edit = fc.record({ add: fc.array(element, { maxLength: 2 }), remove: fc.option(fc.nat(5)), form: format });
    const ours = fc.constantFrom('push', 'collect', 'reopen', 'nothing');
    await fc.assert(
      fc.asyncProperty(parts, fc.array(fc.tuple(edit, ours), { minLength: 2, maxLength: 5 }), async (first, steps) =>
        run(async (dir) => {
          const base = join(dir, directory);
          const path = join(base, 'index.json');
          await writeBlobs(base, ...all);
          await writeFile(join(base, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
          await writeFile(path, bytesOf(indexText(first, { gap: '', hasMark: false, isLast: true, end: '' })));
          let registry = open(dir, { durability: 'none' });
          try {
            for (const [i, [{ add, remove, form }, next]] of steps.entries()) {
              await pushContent(registry, 'app', imageOf(), { tags: [`pushed-${i}`] });
              await registry.fold();
              const { head, elements } = partsIn(text(await readFile(path)));
              const left = elements.filter((one, at) => at !== remove || one.includes('pushed-'));
              const theirs = { head: head.filter(([name]) => name !== '"schemaVersion"'), elements: [...left, ...add] };
              await writeFile(path, bytesOf(indexText(theirs, form)));
              if (next === 'push') await pushContent(registry, 'app', imageOf(), { tags: [`between-${i}`] });
              if (next === 'collect') await collectGarbage(registry, { gracePeriod: 0 });
              if (next === 'reopen') {
                await registry.close();
                registry = open(dir, { durability: 'none' });
              }
              await registry.fold();
              await expectAll(path, theirs);
            }
            const tags = await collect(registry.tags('app'));
            expect(tags.filter((tag) => tag.startsWith('pushed-')).length).toBe(steps.length);
          } finally {
            await registry.close();
          }
        }),
      ),
      { numRuns: runs / 2, endOnFailure: true, ...seed },
    );
  });
});
