// Proves on made-up files that each kind is counted, and that a count can only fall.
import { describe, expect, test } from 'vitest';

import { countsOf, higher, lower, lowered } from './english/baseline.ts';
import { findingsIn } from './english/count.ts';
import { faultsOf, sentencesOf } from './english/sentences.ts';

const manifest = JSON.stringify({
  name: 'ocikit',
  exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
});

/** Findings in one file of the library, as `kind line: text`. */
function found(source: string, path = 'packages/ocikit/src/a.ts'): string[] {
  const tree = new Map([
    ['packages/ocikit/package.json', manifest],
    [path, source],
  ]);
  return findingsIn(tree).map(({ kind, line, text }) => `${kind} ${line}: ${text}`);
}

describe('a sentence', () => {
  test.each([
    'What is not there is made.',
    'who asks is told.',
    'Whoever asks is told.',
    'Whose token it is does not matter.',
    'Of two one is taken.',
    'Where it is found does not matter.',
    '(What is not there is made.)',
    '*Who* asks is told.',
    '"Where it is" is found.',
  ])('has a wrong subject: %s', (sentence) => {
    expect(faultsOf(sentence)).toContain('subject');
  });

  test.each([
    'What is it?',
    '(Who asks?)',
    'Whatever is there stays.',
    'The store says what is there.',
    'Often it is so.',
    '`of` makes a stream.',
    'Wherever it is.',
  ])('has no wrong subject: %s', (sentence) => {
    expect(faultsOf(sentence)).toEqual([]);
  });

  test.each([
    'It asks whoever is there.',
    'It waits for somebody.',
    'It tells nobody.',
    'It tells anybody.',
    'It goes on with the next.',
    'It will go on with it.',
    'Going on with it is right.',
    'It went on with it.',
  ])('has a word that names no actor, or an unusual one: %s', (sentence) => {
    expect(faultsOf(sentence)).toEqual(['word']);
  });

  test('ends at its full stop, an empty line, or the next item of a list, and knows its line', () => {
    const text = 'One of them. Two is\nlonger. (Three!) "Four?" Five\n\nSix\n- seven\n2. eight\n# Nine';

    expect(sentencesOf(text, 10).map((each) => `${each.line}: ${each.text}`)).toEqual([
      '10: One of them.',
      '10: Two is longer.',
      '11: (Three!)',
      '11: "Four?"',
      '11: Five',
      '13: Six',
      '14: seven',
      '15: eight',
      '16: Nine',
    ]);
  });
});

describe('the sentences of', () => {
  test('a comment over several lines are counted', () => {
    expect(found('// A file. It says\n// more. What it says\n// is long.\n')).toEqual([
      'subject 2: What it says is long.',
    ]);
  });

  test('a comment beside code are counted', () => {
    expect(found('// A file.\nconst a = 1; // what it is\n')).toEqual(['subject 2: what it is']);
  });

  test('TSDoc are counted, those of its tags too, and no example', () => {
    const source = [
      '/**',
      ' * Of two one.',
      ' *',
      ' * ```ts',
      ' * // What is an example.',
      ' * ```',
      ' * @param where of the file',
      ' * @returns what it is',
      ' */',
    ];

    expect(found(source.join('\n'))).toEqual([
      'subject 2: Of two one.',
      'subject 7: of the file',
      'subject 8: what it is',
    ]);
  });

  test('an error text are counted, also where it is joined', () => {
    expect(
      found(
        "// A file.\nthrow new Error('what you ask for ' + 'of it is ' + name);\nthrow new Error(`Who asks ${name}?!`);\n",
      ),
    ).toEqual(['subject 2: what you ask for of it is X', 'subject 3: Who asks X?!']);
  });

  test('a string that only continues one are not', () => {
    expect(found("// A file.\nconst a = name + ' is one ' + 'of many there';\n")).toEqual([]);
  });

  test('a help text are counted', () => {
    expect(found("// A file.\ncommand.option('--root', 'where the layout is');\n", 'packages/cli/src/a.ts')).toEqual([
      'subject 2: where the layout is',
    ]);
  });

  test('a string in a test are not', () => {
    expect(found("test('what is it of', run);\n", 'packages/ocikit/src/a.test.ts')).toEqual([]);
  });

  test('a comment in a test are counted', () => {
    expect(found('// What it is.\n', 'packages/ocikit/src/a.test.ts')).toEqual(['subject 1: What it is.']);
  });

  test('a document are counted: paragraphs, lists and cells, and no code', () => {
    const text =
      '# A title\n\nSome text. Of\nit more.\n\n- Who asks is told.\n\n| where | what it is |\n\n```\nWhat code is.\n```\n';

    expect(found(text, 'docs/a.md')).toEqual([
      'subject 3: Of it more.',
      'subject 6: Who asks is told.',
      'subject 8: what it is',
    ]);
  });
});

describe('counted is', () => {
  const long = 'x'.repeat(118);

  test('each line of a comment over 120 columns', () => {
    expect(found(`// ${long}\n/*\n * short\n  ${long}x\n */\n`)).toEqual([`wide 1: // ${long}`, `wide 4: ${long}x`]);
  });

  test('no line of 120 columns, and no long line of code', () => {
    expect(found(`// ${long.slice(1)}\nconst a = '${long}${long}';\n`)).toEqual([]);
  });

  test.each(["import { a } from 'a';\n// A file.\n", '', '/* oxlint-disable */\nconst a = 1;\n'])(
    'a file that does not open with a comment: %j',
    (source) => {
      expect(found(source)).toEqual(['opening 1: no opening comment']);
    },
  );

  test.each([
    '// A file.\nconst a = 1;\n',
    '/** A number. */\nexport const a = 1;\n',
    '#!/usr/bin/env node\n// A file.\n',
  ])('no file that does: %j', (source) => {
    expect(found(source)).toEqual([]);
  });

  test('it(…) in a test', () => {
    expect(found("import { expect, it } from 'vitest';\n", 'packages/ocikit/src/a.test.ts')).toEqual([
      "it 1: import { it } from 'vitest'",
    ]);
  });
});

describe('without a summary are counted', () => {
  const tree = {
    'packages/ocikit/package.json': manifest,
    'packages/ocikit/src/index.ts': [
      '// The entry.',
      "export * from './all.ts';",
      "export { inner as outer } from './named.ts';",
      "export * as names from './names.ts';",
      "import { local } from './local.ts';",
      'export { local };',
    ].join('\n'),
    'packages/ocikit/src/all.ts': [
      '// All of it is public.',
      'export const plain = 1;',
      '/** A number. */',
      'export const documented = 1;',
      '/** @internal */',
      'export const tagged = 1;',
      '/** Options. */',
      'export interface Options extends Base {',
      '  a: string;',
      '  /** The b. */',
      '  b: string;',
      '  c(): void;',
      '}',
      '/** The base, which is not exported itself. */',
      'interface Base {',
      '  d: string;',
      '}',
      '/** A shape. */',
      'export type Shape = Options & { e: string };',
      '/** A thing. */',
      'export class Thing {',
      '  #hidden = 1;',
      '  private inside = 1;',
      '  f = 1;',
      '  constructor() {}',
      '  /** Does it. */',
      '  g(): void {}',
      '  h(): void {}',
      '}',
      '/** Another thing. */',
      'export class Store implements Options {',
      '  a = 1;',
      '}',
      '/** One of two. */',
      'export function overloaded(a: string): void;',
      'export function overloaded(a: number): void;',
      'export function overloaded(): void {}',
    ].join('\n'),
    'packages/ocikit/src/named.ts': '// One is public.\nexport const inner = 1;\nexport const internal = 1;\n',
    'packages/ocikit/src/names.ts': '// Names.\nexport const name = 1;\n',
    'packages/ocikit/src/local.ts': '// One that is handed on.\nexport const local = 1;\n',
    'packages/ocikit/src/unseen.ts': '// Internal.\nexport interface Unseen { a: string }\n',
  };

  test('names that leave the library, and members of theirs, and no others', () => {
    const findings = findingsIn(new Map(Object.entries(tree)));

    expect(findings.every(({ kind }) => kind === 'undocumented')).toBe(true);
    expect(findings.map(({ path, line, text }) => `${path.slice(20)}:${line} ${text}`)).toEqual([
      'all.ts:2 plain',
      'all.ts:6 tagged',
      'all.ts:9 Options.a',
      'all.ts:12 Options.c',
      'all.ts:16 Base.d',
      'all.ts:19 Shape.e',
      'all.ts:24 Thing.f',
      'all.ts:28 Thing.h',
      'named.ts:2 inner',
      'names.ts:2 name',
      'local.ts:2 local',
    ]);
  });
});

describe('a count', () => {
  const bad = '// What it is.\n';
  const findings = (files: Record<string, string>): ReturnType<typeof findingsIn> =>
    findingsIn(new Map(Object.entries(files)));
  const old = countsOf(findings({ 'bench/a.ts': bad, 'bench/b.ts': `${bad}\n${bad}` }));

  test('is kept by room and file, where there is any', () => {
    expect(countsOf(findings({ 'bench/a.ts': bad, 'bench/b.ts': '// A file.\n', 'docs/c.md': 'Who.' }))).toEqual({
      bench: { 'a.ts': { subject: 1 } },
      docs: { 'c.md': { subject: 1 } },
    });
  });

  test('passes as long as it stays', () => {
    const same = findings({ 'bench/a.ts': bad, 'bench/b.ts': `${bad}\n${bad}` });

    expect(higher(same, old)).toEqual([]);
    expect(lower(same, old)).toEqual([]);
  });

  test('fails when it rises, and names the sentence', () => {
    const more = findings({ 'bench/a.ts': `${bad}\n// It is. Of it more.\n`, 'bench/b.ts': bad });

    expect(higher(more, old)).toHaveLength(1);
    expect(higher(more, old)[0]).toContain('subject 2, allowed 1');
    expect(higher(more, old)[0]).toContain('bench/a.ts:3: Of it more.');
  });

  test('fails for a new file that has any', () => {
    const more = findings({ 'bench/a.ts': bad, 'bench/b.ts': bad, 'bench/c.ts': bad });

    expect(higher(more, old)[0]).toContain('bench/c.ts: subject 1, allowed 0');
  });

  const a = 'bench/a.ts';
  const b = 'bench/b.ts';

  test('fails when it is lower than committed, until that is lowered', () => {
    const fewer = findings({ [a]: '// A file.\n', [b]: bad });
    const next = lowered(fewer, old, new Set([a, b]));

    expect(lower(fewer, old)).toEqual(['bench/a.ts: subject 0, committed 1', 'bench/b.ts: subject 1, committed 2']);
    expect(next).toEqual({ bench: { 'b.ts': { subject: 1 } } });
    expect(lower(fewer, next)).toEqual([]);
  });

  test('moves with its file', () => {
    const moved = { 'bench/work/a.ts': bad, [b]: `${bad}\n${bad}` };

    expect(lowered(findings(moved), old, new Set(Object.keys(moved)))).toEqual({
      bench: { 'b.ts': { subject: 2 } },
      'bench/work': { 'a.ts': { subject: 1 } },
    });
  });

  test.each([
    ['that of a file rises', { [a]: `${bad}\n${bad}`, [b]: bad }, 'bench/a.ts: subject 2, allowed 1'],
    ['a new file has one', { [a]: '// A file.\n', [b]: bad, 'bench/c.ts': bad }, 'bench/c.ts: 1'],
    ['a file that moves gets more', { 'bench/c.ts': `${bad}\n${bad}`, [b]: bad }, 'subject 2 in new files, 1 in those'],
  ] as const)('cannot be raised by the command that lowers it: %s', (_, files, reason) => {
    expect(() => lowered(findings(files), old, new Set(Object.keys(files)))).toThrow(reason);
  });
});
