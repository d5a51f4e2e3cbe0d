// Proves that each name that the guide "Coming from Go" gives as ours is an export of the subpath beside it.
import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openWorkshop } from './workshop.ts';
import type { Workshop } from './workshop.ts';

const guide = readFileSync(new URL('../../docs/guides/coming-from-go.md', import.meta.url), 'utf8');

/** A row of a table with four columns: the Go names, ours, their import, notes. */
interface Row {
  line: number;
  go: string;
  here: string;
  subpath: string | undefined;
}

const rows = guide.split('\n').flatMap((text, i): Row[] => {
  const [, go, here, subpath, notes] = text.split(/(?<!\\)\|/).map((cell) => cell.trim());
  if (go === undefined || here === undefined || notes === undefined || notes === 'notes' || /^-+$/.test(go)) return [];
  return [{ line: i + 1, go, here, subpath: /^`(.+)`$/.exec(subpath ?? '')?.[1] }];
});

/** `Name` or `Type.member`, as the guide has it in code. */
function namesIn(here: string): string[] {
  return Array.from(here.matchAll(/`([^`]+)`/g), ([, name = '']) => name);
}

/** A module that compiles only if the names are exports of the subpath, and their members are members. */
function moduleOf({ here, subpath }: Row): string {
  const names = namesIn(here).map((name) => name.split('.'));
  const imports = [...new Set(names.map(([name]) => name))].map((name) => `import type { ${name} } from '${subpath}';`);
  const members = names.flatMap(([name, member], i) =>
    member === undefined ? [] : [`export type T${i} = ${name}['${member}'];`],
  );
  return [...imports, ...members, ''].join('\n');
}

describe('coming from Go', () => {
  let workshop: Workshop;
  beforeAll(async () => {
    workshop = await openWorkshop('coming-from-go-names', '127.0.0.1:1');
  });
  afterAll(() => workshop.close());

  test('has a table for each of the five packages', () => {
    expect(guide.match(/^\| Go .*\| here .*\| import .*\| notes .*\|$/gm)).toHaveLength(5);
  });

  test.each(rows)('has code in its second column and an import for $go, or neither', ({ here, subpath }) => {
    if (subpath === undefined) expect(here).toBe('none');
    else expect(here).toMatch(/^`[A-Za-z]\w*(?:\.[a-z]\w*)?`(?:, `[A-Za-z]\w*(?:\.[a-z]\w*)?`)*$/);
  });

  test('names only what the subpaths export', async () => {
    const found = rows.filter(({ subpath }) => subpath !== undefined);
    expect(found.length).toBeGreaterThan(80);
    const modules = found.map((row) => ({ language: 'ts', line: row.line, text: moduleOf(row) }));
    expect(await workshop.compile(modules)).toBe('');
  });

  test('would not compile with a name that is none', async () => {
    const wrong = { line: 1, go: '', here: '`Registry.getBlob`, `Registry.getBlubb`, `Regstry`', subpath: 'ocikit' };
    const said = await workshop.compile([{ language: 'ts', line: 1, text: moduleOf(wrong) }]);
    expect(said).toContain("'getBlubb'");
    expect(said).toContain("'Regstry'");
    expect(said).not.toContain("'getBlob'");
  });
});
