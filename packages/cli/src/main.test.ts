import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

import { beforeEach, describe, expect, test } from 'vitest';

import { command, temporaryDirectory } from '../test/run-command.ts';

const packages = fileURLToPath(new URL('../../', import.meta.url));
let dir: string;
beforeEach(async () => {
  dir = await temporaryDirectory();
});

/** Runs the command, a server until it listens, and returns the modules it loaded: `ocikit/src/model/digest.ts`. */
function loadedBy(...args: string[]): Promise<string[]> {
  return loadedByNode(command, ...args);
}

async function loadedByNode(...args: string[]): Promise<string[]> {
  const coverage = join(dir, 'coverage');
  const child = spawn(process.execPath, args, { cwd: dir, env: { ...process.env, NODE_V8_COVERAGE: coverage } });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  child.stdout.on('data', (piece: Buffer) => {
    if (piece.toString().startsWith('ocikit listening on')) child.kill('SIGTERM');
  });
  expect(await once(child, 'close'), stderr).toEqual([0, null]);
  const loaded: string[] = [];
  for (const name of await readdir(coverage)) {
    const { result } = JSON.parse(await readFile(join(coverage, name), 'utf8')) as { result: { url: string }[] };
    for (const { url } of result) {
      const file = url.startsWith('file:') ? fileURLToPath(url) : '';
      if (/^(?:cli|ocikit)\/bundled\//.test(relative(packages, file))) loaded.push(...(await modulesIn(file)));
    }
  }
  await rm(coverage, { recursive: true });
  return loaded;
}

/** A file that only hands on what others have has no source map. */
async function modulesIn(file: string): Promise<string[]> {
  if (!(await readFile(file, 'utf8')).includes('sourceMappingURL')) return [];
  const { sources } = JSON.parse(await readFile(`${file}.map`, 'utf8')) as { sources: string[] };
  return sources.map((source) => relative(packages, join(dirname(file), source)));
}

/** Their directories, and those of the command's own as they are. */
function roomsOf(loaded: readonly string[]): string[] {
  const rooms = loaded.map((path) => (path.startsWith('cli/') ? path : dirname(path)));
  return [...new Set(rooms)].toSorted();
}

describe('ocikit', () => {
  test('a plain serve loads the server and its store, and no client, view, upkeep or other command', async () => {
    expect(roomsOf(await loadedBy('serve', '--port', '0', '--quiet'))).toEqual([
      'cli/src/commands/serve/access-options.ts',
      'cli/src/commands/serve/command.ts',
      'cli/src/commands/serve/gc-interval.ts',
      'cli/src/commands/serve/proxy-options.ts',
      'cli/src/commands/serve/run.ts',
      'cli/src/commands/serve/stop-deadline.ts',
      'cli/src/main.ts',
      'cli/src/options/durations.ts',
      'cli/src/output/errors.ts',
      'cli/src/output/log.ts',
      'cli/src/output/results.ts',
      'ocikit/src/http/server',
      'ocikit/src/http/server/adapters',
      'ocikit/src/http/server/adapters/fast',
      'ocikit/src/http/server/adapters/node',
      'ocikit/src/http/server/adapters/socket',
      'ocikit/src/http/server/api',
      'ocikit/src/http/server/auth',
      'ocikit/src/http/server/receiving',
      'ocikit/src/http/server/shared',
      'ocikit/src/http/wire',
      'ocikit/src/model',
      'ocikit/src/model/hash',
      'ocikit/src/node/server',
      'ocikit/src/stores/blobs',
      'ocikit/src/stores/disk',
      'ocikit/src/stores/layout',
      'ocikit/src/stores/layout/files',
      'ocikit/src/stores/layout/index',
      'ocikit/src/stores/layout/journal',
      'ocikit/src/stores/layout/registry',
      'ocikit/src/stores/layout/root',
      'ocikit/src/stores/layout/uploads',
      'ocikit/src/stores/repository',
      'ocikit/src/stores/uploads',
    ]);
  });

  test('serve --memory loads no store on disk', async () => {
    const rooms = roomsOf(await loadedBy('serve', '--port', '0', '--quiet', '--memory'));
    expect(rooms).toContain('ocikit/src/stores/memory');
    expect(rooms).not.toContain('ocikit/src/stores/layout');
  });

  test('--version loads the entry alone, and --help no code that commands run', async () => {
    expect(roomsOf(await loadedBy('--version'))).toEqual(['cli/src/main.ts', 'cli/src/output/errors.ts']);
    const rooms = roomsOf(await loadedBy('--help'));
    expect(rooms).toContain('cli/src/commands/undo/command.ts');
    expect(rooms.filter((room) => /run\.ts|http|node|stores|views|upkeep/.test(room))).toEqual([]);
  });

  test('importing ocikit/node loads no client before one is made', async () => {
    const entry = join(packages, 'ocikit/bundled/node.js');
    const rooms = roomsOf(await loadedByNode(entry));
    expect(rooms).toContain('ocikit/src/node/server');
    expect(rooms).not.toContain('ocikit/src/http/client');
  });
});
