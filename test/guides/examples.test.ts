// Proves that a reader finds an example of everything that the library exports.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { withoutExample } from './examples.ts';
import { exportsOfLibrary } from './exports.ts';
import type { Export } from './exports.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const guides = [
  'README.md',
  'packages/ocikit/README.md',
  ...readdirSync(`${root}docs/guides`).map((name) => `docs/guides/${name}`),
].map((path) => readFileSync(`${root}${path}`, 'utf8'));

describe('an export of the library', () => {
  const all = exportsOfLibrary();

  test('is found with its subpaths and its comment', () => {
    expect(all.length).toBeGreaterThan(300);
    const serve = all.find(({ name }) => name === 'serve');
    expect(serve).toMatchObject({ subpaths: ['ocikit/node', 'ocikit/serve'], isType: false });
    expect(serve?.comment).toContain('@example');
    expect(all.find(({ name }) => name === 'ServeOptions')).toMatchObject({ isType: true });
  });

  test('has an example, or stands in a guide or in the example of another one', () => {
    const names = withoutExample(all, guides).map(({ name, subpaths }) => `${name} of ${subpaths.join(', ')}`);
    expect(names).toEqual([]);
  });
});

describe('a missing example', () => {
  const exported = (name: string, rest: Partial<Export> = {}): Export => ({
    name,
    subpaths: ['ocikit'],
    isType: false,
    comment: '',
    declaration: '',
    ...rest,
  });

  test('is reported of an export that only prose names', () => {
    const [own, shown, told] = [
      exported('own', { comment: '* @example\n * own(shown)' }),
      exported('shown'),
      exported('told'),
    ];
    expect(withoutExample([own, shown, told], ['told is a word'])).toEqual([told]);
    expect(withoutExample([own, shown, told], ['`told(1)`'])).toEqual([]);
    expect(withoutExample([own, shown, told], ['```ts\ntold();\n```\n'])).toEqual([]);
  });

  test('is reported of a type that no export with an example names', () => {
    const types = [exported('Field', { isType: true }), exported('Options', { isType: true, declaration: 'a: Field' })];
    const call = exported('call', { declaration: 'call(options: Options)' });
    expect(withoutExample([...types, call], [])).toEqual([...types, call]);
    expect(withoutExample([...types, call], ['`call()`'])).toEqual([]);
    expect(withoutExample([...types, exported('other')], ['`other`'])).toEqual(types);
  });
});
