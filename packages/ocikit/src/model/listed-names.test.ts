import { expect, test } from 'vitest';

import { nameFilter } from './listed-names.ts';

const hostile = [
  '',
  '.',
  '..',
  '../../x',
  '/etc',
  'a/../b',
  'a//b',
  'a/',
  '\u001b[31mred',
  '\u009b2J',
  'a\nb',
  'a\u0000',
  'a b',
  'ä',
  '-x',
  'x'.repeat(300),
];

test.each(['repositories', 'tags'] as const)('a list of %s keeps no text that is no name, and warns once', (kind) => {
  const warnings: string[] = [];
  const isName = nameFilter(kind, (text) => warnings.push(text));
  expect(['good', ...hostile, 'v1', ...hostile].filter(isName)).toEqual(['good', 'v1']);
  expect(warnings).toHaveLength(1);
});

test.each(hostile)('the warning about %j is printable and short', (name) => {
  let warning = '';
  nameFilter('tags', (text) => (warning = text))(name);
  expect(warning).toMatch(/^[\x20-\x7e]{1,1000}$/);
});

test('a tag may have upper case and no slash, and a repository the other way round', () => {
  expect(['V1.2', 'a/b', 'Team/App'].filter(nameFilter('tags'))).toEqual(['V1.2']);
  expect(['V1.2', 'a/b', 'Team/App'].filter(nameFilter('repositories'))).toEqual(['a/b']);
});
