// Proves on made-up trees that the check refuses each kind of import that it is there to refuse.
import { describe, expect, test } from 'vitest';

import { checkArrows, type Rule } from './arrows.ts';
import { circlesOf } from './circles.ts';
import type { Rooms } from './room.ts';
import { rooms } from './rooms.ts';

const library = JSON.stringify({
  name: 'ocikit',
  imports: { '#hash': { browser: './dist/model/hash/web.js', default: './dist/model/hash/node.js' } },
  exports: {
    '.': { types: './dist/model/index.d.ts', node: './bundled/index.js', default: './dist/model/index.js' },
    './memory': { types: './dist/stores/memory/index.d.ts', default: './dist/stores/memory/index.js' },
    './package.json': './package.json',
  },
});

const src = 'packages/ocikit/src';

/** Complaints about imports in a tree of these files, as `rule file:line`. The table's own exactness is left out. */
function complaints(files: Record<string, string>, table: Rooms = rooms): string[] {
  const tree = new Map([['packages/ocikit/package.json', library], ...Object.entries(files)]);
  return checkArrows(tree, table)
    .complaints.filter(({ rule }) => rule !== 'unused' && rule !== 'to come')
    .map(({ rule, at }) => `${rule} ${at}`);
}

/** A library file that imports another one; both exist. */
function importing(from: string, to: string, code = `import { it } from '${relative(from, to)}';`): string[] {
  return complaints({ [`${src}/${from}`]: `// A file.\n${code}\n`, [`${src}/${to}`]: 'export const it = 1;\n' });
}

function relative(from: string, to: string): string {
  return `${'../'.repeat(from.split('/').length - 1)}${to}`;
}

function refused(rule: Rule, from: string): string {
  return `${rule} ${src}/${from}:2`;
}

describe('a room that may not know another one', () => {
  test.each([
    ['stores/layout/deleter.ts', 'http/server/index.ts'],
    ['stores/disk/file-reader.ts', 'http/client/index.ts'],
    ['stores/memory/writer.ts', 'views/index.ts'],
    ['stores/blobs/blob-store.ts', 'stores/memory/index.ts'],
    ['stores/repository/page.ts', 'stores/layout/index.ts'],
    ['http/wire/links.ts', 'http/server/index.ts'],
    ['http/wire/links.ts', 'http/client/index.ts'],
    ['http/client/client.ts', 'http/server/index.ts'],
    ['http/server/server.ts', 'http/client/index.ts'],
    ['http/server/server.ts', 'image/index.ts'],
    ['http/server/server.ts', 'stores/memory/index.ts'],
    ['views/sub.ts', 'stores/memory/index.ts'],
    ['views/cache/cache.ts', 'stores/memory/index.ts'],
    ['views/unify/unify.ts', 'http/client/index.ts'],
    ['image/pull.ts', 'http/client/index.ts'],
    ['image/pull.ts', 'upkeep/index.ts'],
    ['upkeep/check.ts', 'stores/layout/index.ts'],
    ['model/registry.ts', 'image/index.ts'],
    ['model/hash/hash.ts', 'model/index.ts'],
    // Two floors deep, where the room around has the right to it.
    ['stores/layout/journal/journal.ts', 'http/wire/index.ts'],
    ['stores/layout/journal/journal.ts', 'stores/layout/registry/index.ts'],
    ['http/client/auth/tokens.ts', 'stores/memory/index.ts'],
    ['stores/object/s3/client.ts', 'http/client/index.ts'],
    // Rooms to come are in the table already.
    ['transfer/retry.ts', 'http/wire/index.ts'],
    ['copy/copy.ts', 'http/client/index.ts'],
    ['auth/rules.ts', 'http/wire/index.ts'],
    ['archive/tar.ts', 'stores/disk/index.ts'],
  ])('is refused it: %s → %s', (from, to) => {
    expect(importing(from, to)).toContain(refused('arrow', from));
  });
});

describe('an inner file of another room', () => {
  test.each([
    ['stores/layout/deleter.ts', 'http/server/reply.ts', 'arrow'],
    ['stores/disk/file-reader.ts', 'http/client/transport.ts', 'arrow'],
    ['node/fetch.ts', 'model/content.ts', 'door'],
    ['stores/memory/writer.ts', 'stores/uploads/staged-bytes.ts', 'door'],
    ['stores/layout/index.ts', 'stores/repository/page.ts', 'door'],
    ['views/cache/cache.ts', 'views/unify/asking.ts', 'arrow'],
    ['http/wire/links.ts', 'http/server/reply.ts', 'arrow'],
    ['views/sub.ts', 'stores/memory/state.ts', 'arrow'],
    ['http/server/server.ts', 'image/pull.ts', 'arrow'],
    ['http/client/client.ts', 'http/wire/links.ts', 'door'],
    ['image/pull.ts', 'model/hash/sha256.ts', 'arrow'],
    ['upkeep/check.ts', 'model/digest.ts', 'door'],
    ['testing/subject.ts', 'image/compose.ts', 'door'],
  ] as const)('is refused: %s → %s', (from, to, rule) => {
    expect(importing(from, to)).toContain(refused(rule, from));
  });
});

describe('each way to import is seen:', () => {
  const from = 'views/sub.ts';
  const to = 'stores/memory/index.ts';
  test.each([
    ['a type', "import type { it } from '../stores/memory/index.ts';"],
    ["import('…') as a type", "export type It = import('../stores/memory/index.ts').It;"],
    ["typeof import('…')", "export let it: typeof import('../stores/memory/index.ts');"],
    ['export … from', "export { it } from '../stores/memory/index.ts';"],
    ['export type … from', "export type { It } from '../stores/memory/index.ts';"],
    ['export * from', "export * from '../stores/memory/index.ts';"],
    ['export * as … from', "export * as memory from '../stores/memory/index.ts';"],
    ['an import without names', "import '../stores/memory/index.ts';"],
    ['import()', "export const it = import('../stores/memory/index.ts');"],
    ['import() with a comment in it', "export const it = import(/* later */ '../stores/memory/index.ts');"],
    ['import() of a template', 'export const it = import(`../stores/memory/index.ts`);'],
    ['a URL', "export const it = new URL('../stores/memory/index.ts', import.meta.url);"],
    ['a worker', "new Worker(new URL('../stores/memory/index.js', import.meta.url), { type: 'module' });"],
    ['a worker by its path', "new Worker('../stores/memory/index.ts');"],
    ['require', "export const it = require('../stores/memory/index.ts');"],
    ['createRequire', "export const it = createRequire(import.meta.url)('../stores/memory/index.ts');"],
    ['import … = require', "import memory = require('../stores/memory/index.ts');"],
    ['import.meta.resolve', "export const it = import.meta.resolve('../stores/memory/index.ts');"],
    ['a built file', "import { it } from '../../dist/stores/memory/index.js';"],
  ])('%s', (_, code) => {
    expect(importing(from, to, code)).toContain(refused('arrow', from));
  });

  test('ocikit/… from another package, which leads to the room that the package exports', () => {
    const tree = {
      'packages/web/src/page.ts': "// A file.\nimport { it } from 'ocikit/memory';\n",
      [`${src}/stores/memory/index.ts`]: 'export const it = 1;\n',
    };
    const table: Rooms = { web: { imports: ['model'] }, model: { imports: [] }, 'stores/memory': { imports: [] } };

    expect(complaints(tree, table)).toEqual(['arrow packages/web/src/page.ts:2']);
    expect(complaints(tree, { ...table, web: { imports: ['stores/memory'] } })).toEqual([]);
  });

  test('a subpath that the package does not export', () => {
    expect(complaints({ 'bench/run.ts': "import { it } from 'ocikit/copies';\n" })).toEqual(['target bench/run.ts:1']);
  });

  test('the library by its path, from another package', () => {
    const tree = {
      'packages/cli/src/main.ts': "import { it } from '../../ocikit/src/model/index.ts';\n",
      [`${src}/model/index.ts`]: 'export const it = 1;\n',
    };

    expect(complaints(tree)).toContain('door packages/cli/src/main.ts:1');
  });

  test('#hash, from a room that may not import model/hash', () => {
    const tree = {
      [`${src}/image/pull.ts`]: "import { it } from '#hash';\n",
      [`${src}/model/hash/node.ts`]: 'export const it = 1;\n',
      [`${src}/model/hash/web.ts`]: 'export const it = 1;\n',
    };

    expect(complaints(tree)).toContain(`arrow ${src}/image/pull.ts:1`);
  });

  test('a type in a comment of a JavaScript file', () => {
    const tree = {
      'test/x/a.js': "/** @type {import('./b.ts').B} */\n",
      'test/y/b.ts': 'export interface B {}\n',
    };

    expect(complaints(tree, { 'test/x': { imports: [] }, 'test/y': { imports: [] } })).toEqual([
      'target test/x/a.js:1',
    ]);
  });
});

describe('what runs everywhere', () => {
  test.each([
    ['model/digest.ts', "import { readFileSync } from 'node:fs';"],
    ['model/digest.ts', "import { readFileSync } from 'fs';"],
    ['model/digest.ts', "import type { Stats } from 'node:fs';"],
    ['model/hash/hash.ts', "import { createHash } from 'node:crypto';"],
    ['http/client/client.ts', "const fs = await import('node:fs/promises');"],
    ['http/server/server.ts', "import { readFile } from 'node:fs/promises';"],
    ['http/server/server.ts', "import { createServer } from 'node:http';"],
    ['stores/blobs/memory-blobs.ts', "import { open } from 'node:fs/promises';"],
    ['views/sub.ts', "import { Buffer } from 'node:buffer';"],
  ])('imports nothing that only Node has: %s: %s', (from, code) => {
    expect(complaints({ [`${src}/${from}`]: `// A file.\n${code}\n` })).toContain(refused('node', from));
  });

  test('imports no file of its own room that does', () => {
    const table: Rooms = { blobs: { imports: [], node: ['disk.ts'] } };
    const tree = {
      [`${src}/blobs/disk.ts`]: "import { open } from 'node:fs/promises';\nexport const it = open;\n",
      [`${src}/blobs/index.ts`]: "export { it } from './disk.ts';\n",
    };

    expect(complaints(tree, table)).toEqual([`node ${src}/blobs/index.ts:1`]);
  });
});

test('a package that the row does not name is refused', () => {
  expect(importing('views/trace.ts', 'model/index.ts', "import { trace } from '@opentelemetry/api';")).toEqual([
    refused('package', 'views/trace.ts'),
  ]);
});

test('a file in no room is named', () => {
  expect(complaints({ [`${src}/helpers/strings.ts`]: '', [`${src}/model/deep/er/x.ts`]: '' })).toEqual([
    `room ${src}/helpers/strings.ts`,
    `room ${src}/model/deep/er/x.ts`,
  ]);
});

test('a file that does not exist is named', () => {
  expect(complaints({ [`${src}/model/digest.ts`]: "import { it } from './digests.ts';\n" })).toEqual([
    `target ${src}/model/digest.ts:1`,
  ]);
});

test('an import of which only running it tells the name is refused', () => {
  expect(complaints({ [`${src}/model/digest.ts`]: 'export const load = (name: string) => import(name);\n' })).toEqual([
    `target ${src}/model/digest.ts:1`,
  ]);
});

test('a test is no source for others', () => {
  expect(importing('model/digest.ts', 'model/content.test.ts')).toEqual([refused('arrow', 'model/digest.ts')]);
});

describe('circles', () => {
  const circle = {
    [`${src}/model/a.ts`]: "import type { B } from './b.ts';\nexport interface A { b: B }\n",
    [`${src}/model/b.ts`]: "export type B = import('./c.ts').C;\n",
    [`${src}/model/c.ts`]: "export type { A as C } from './a.ts';\n",
    [`${src}/model/d.ts`]: "export * from './a.ts';\n",
  };

  test('of three files by types alone are refused, and told file by file', () => {
    const { complaints: found } = checkArrows(new Map(Object.entries(circle)), { model: { imports: [] } });

    expect(found).toHaveLength(1);
    expect(found[0]?.problem).toBe(
      `a circle: ${src}/model/a.ts:1 → ${src}/model/b.ts:1 → ${src}/model/c.ts:1 → ${src}/model/a.ts`,
    );
  });

  test('between files through import() are refused', () => {
    const tree = {
      [`${src}/model/a.ts`]: "export const b = () => import('./b.ts');\n",
      [`${src}/model/b.ts`]: "import { b } from './a.ts';\n",
    };

    expect(complaints(tree)).toEqual([`circle ${src}/model/a.ts:1`]);
  });

  test('of files that serve tests are left alone', () => {
    const tree = { 'test/x/a.ts': "import './b.ts';\n", 'test/x/b.ts': "import './a.ts';\n" };

    expect(complaints(tree, { 'test/x': { imports: [], tests: true } })).toEqual([]);
  });

  test('are found where a long way leads back, and one for each group', () => {
    const edge = (to: string): { to: string; line: number } => ({ to, line: 1 });
    const graph = new Map([
      ['a', [edge('b'), edge('x')]],
      ['b', [edge('c')]],
      ['c', [edge('d'), edge('b')]],
      ['d', [edge('a')]],
      ['x', [edge('y')]],
      ['y', [edge('x')]],
      ['z', [edge('a')]],
    ]);

    expect(circlesOf(graph).map(({ shortest }) => shortest.map(({ file }) => file).join(''))).toEqual(['xy', 'bc']);
    expect(circlesOf(graph).map(({ files }) => files.join(''))).toEqual(['xy', 'abcd']);
  });
});

test('rooms that import each other are a circle, unless one is inside the other', () => {
  const circles = (table: Rooms): string[] =>
    checkArrows(new Map(), table)
      .complaints.filter(({ rule }) => rule === 'circle')
      .map(({ problem }) => problem);
  const toCome = true;

  expect(
    circles({ a: { imports: ['b'], toCome }, b: { imports: ['c'], toCome }, c: { imports: ['a'], toCome } }),
  ).toEqual(["a circle of rooms: 'a' → 'b' → 'c' → 'a'"]);
  expect(circles({ a: { imports: ['a/b'], toCome }, 'a/b': { imports: ['a'], toCome } })).toEqual([]);
});

describe('a test', () => {
  test('may import every door, the inner files of its own wing, Node and packages', () => {
    const tree = {
      [`${src}/model/index.ts`]: '',
      [`${src}/stores/memory/index.ts`]: '',
      [`${src}/views/forward.ts`]: '',
      [`${src}/views/unify/unify.ts`]: '',
      [`${src}/views/cache/cache.test.ts`]: [
        "import '../../model/index.ts';",
        "import '../../stores/memory/index.ts';",
        "import '../forward.ts';",
        "import '../unify/unify.ts';",
        "import 'node:fs';",
        "import 'vitest';",
      ].join('\n'),
    };

    expect(complaints(tree)).toEqual([]);
  });

  test('may not import the inner files of other rooms', () => {
    const tree = { [`${src}/model/digest.ts`]: '', [`${src}/views/sub.test.ts`]: "import '../model/digest.ts';" };

    expect(complaints(tree)).toEqual([`door ${src}/views/sub.test.ts:1`]);
  });
});

describe('the table is exact:', () => {
  const table = {
    model: { imports: ['model/hash'] },
    'model/hash': { imports: [], innerDoors: ['hash.ts'], node: ['node.ts'] },
    'http/server': { imports: ['model'], nodeTypes: ['node:http'] },
    'stores/blobs': { imports: ['model'], doors: ['node.ts'], node: ['node.ts'] },
    testing: { imports: ['copy', 'http/server', 'stores/blobs'], packages: ['selfsigned'] },
    copy: { imports: ['model'], toCome: true },
    'cli/commands/*': { imports: ['stores/blobs'] },
    'test/faults': { imports: [], tests: true },
  } as const satisfies Rooms;
  const tree = {
    [`${src}/model/index.ts`]: "import './hash/hash.ts';\nimport '#hash';\n",
    [`${src}/model/hash/hash.ts`]: '',
    [`${src}/model/hash/web.ts`]: '',
    [`${src}/model/hash/node.ts`]: "import 'node:crypto';\n",
    [`${src}/http/server/index.ts`]: "import '../../model/index.ts';\nimport type { Server } from 'node:http';\n",
    [`${src}/stores/blobs/node.ts`]: "import '../../model/index.ts';\nimport 'node:fs';\n",
    [`${src}/testing/index.ts`]:
      "import '../http/server/index.ts';\nimport '../stores/blobs/node.ts';\nimport 'selfsigned';\n",
    'packages/cli/src/commands/serve/run.ts': "import 'ocikit/blobs';\n",
    'packages/ocikit/package.json': JSON.stringify({
      name: 'ocikit',
      imports: { '#hash': { browser: './dist/model/hash/web.js', default: './dist/model/hash/node.js' } },
      exports: { './blobs': { types: './dist/stores/blobs/node.d.ts' } },
    }),
    'test/faults/kill.ts': "import 'vitest';\nimport 'node:fs';\n",
  };
  const sources = new Map(Object.entries(tree));
  const rules = (rows: Rooms, files: ReadonlyMap<string, string> = sources): string[] =>
    checkArrows(files, rows).complaints.map(({ rule }) => rule);

  test('it fits this tree', () => {
    expect(checkArrows(sources, table).complaints).toEqual([]);
  });

  test.each(Object.keys(table))('without the row %s it fails', (key) => {
    const { [key]: _, ...rest }: Rooms = table;

    expect(rules(rest)).not.toEqual([]);
  });

  const entries = Object.entries(table as Rooms).flatMap(([key, room]) =>
    (['imports', 'doors', 'innerDoors', 'node', 'nodeTypes', 'packages'] as const).flatMap((field) =>
      (room[field] ?? [])
        .filter((name) => room.toCome !== true && name !== 'copy')
        .map((name) => [key, field, name] as const),
    ),
  );

  test.each(entries)('without what the row %s has in %s, %s, it fails', (key, field, name) => {
    const row = (table as Rooms)[key] ?? { imports: [] };
    const rows = { ...table, [key]: { ...row, [field]: (row[field] ?? []).filter((each) => each !== name) } };

    expect(rules(rows)).not.toEqual([]);
  });

  test.each(['imports', 'doors', 'innerDoors', 'node', 'nodeTypes', 'packages'] as const)(
    'with something in %s that nothing uses it fails',
    (field) => {
      const row: Rooms[string] = { ...table['http/server'], [field]: ['model', 'node:http', 'stores/blobs'] };

      expect(rules({ ...table, 'http/server': row })).toContain('unused');
    },
  );

  test('an arrow to a room that is still to come may wait', () => {
    expect(rules({ ...table, 'cli/commands/*': { imports: ['stores/blobs', 'copy'] } })).toEqual([]);
  });

  test('an arrow to a room without a row fails', () => {
    expect(rules({ ...table, copy: { imports: ['graph'], toCome: true } })).toEqual(['unused']);
  });

  test('a row that is said to be still to come fails once its folder exists', () => {
    const files = new Map([...sources, [`${src}/copy/copy.ts`, "import '../model/index.ts';\n"]]);

    expect(rules(table, files)).toContain('to come');
  });

  test('a row without a folder fails unless it is said to be still to come', () => {
    expect(rules({ ...table, copy: { imports: ['model'] } })).toContain('to come');
  });
});
