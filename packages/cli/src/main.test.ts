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

/** Runs the command, and a server until it listens, and gives what it has loaded: `ocikit/dist/model/digest.js`. */
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
      const path = url.startsWith('file:') ? relative(packages, fileURLToPath(url)) : '';
      if (/^(?:cli|ocikit)\/dist\//.test(path)) loaded.push(path);
    }
  }
  await rm(coverage, { recursive: true });
  return loaded;
}

/** Their directories, and those of the command's own as they are. */
function roomsOf(loaded: readonly string[]): string[] {
  const rooms = loaded.map((path) => (path.startsWith('cli/') ? path : dirname(path)));
  return [...new Set(rooms)].toSorted();
}

describe('ocikit', () => {
  test('a plain serve loads the server and its store, and no client, view, upkeep or other command', async () => {
    const loaded = await loadedBy('serve', '--port', '0', '--quiet');
    expect(roomsOf(loaded)).toEqual([
      'cli/dist/actions/gc-interval.js',
      'cli/dist/actions/serve.js',
      'cli/dist/commands/proxy.js',
      'cli/dist/commands/serve.js',
      'cli/dist/durations.js',
      'cli/dist/errors.js',
      'cli/dist/log.js',
      'cli/dist/main.js',
      'cli/dist/output.js',
      'ocikit/dist/http/server',
      'ocikit/dist/http/wire',
      'ocikit/dist/model',
      'ocikit/dist/model/hash',
      'ocikit/dist/node',
      'ocikit/dist/stores/blobs',
      'ocikit/dist/stores/disk',
      'ocikit/dist/stores/layout',
      'ocikit/dist/stores/repository',
      'ocikit/dist/stores/uploads',
    ]);
    // What is beside it there is for clients.
    expect(loaded.filter((path) => dirname(path) === 'ocikit/dist/node')).toEqual(['ocikit/dist/node/serve.js']);
  });

  test('serve --memory loads no store on disk', async () => {
    const rooms = roomsOf(await loadedBy('serve', '--port', '0', '--quiet', '--memory'));
    expect(rooms).toContain('ocikit/dist/stores/memory');
    expect(rooms).not.toContain('ocikit/dist/stores/layout');
  });

  test('--version loads nothing but the start, and help nothing of what commands do', async () => {
    expect(roomsOf(await loadedBy('--version'))).toEqual(['cli/dist/errors.js', 'cli/dist/main.js']);
    const rooms = roomsOf(await loadedBy('--help'));
    expect(rooms).toContain('cli/dist/commands/undo.js');
    expect(rooms.filter((room) => /actions|http|node|stores|views|upkeep/.test(room))).toEqual([]);
  });

  test('who imports ocikit/node loads no client before there is one', async () => {
    const entry = join(packages, 'ocikit/dist/node/index.js');
    const rooms = roomsOf(await loadedByNode(entry));
    expect(rooms).toContain('ocikit/dist/node');
    expect(rooms).not.toContain('ocikit/dist/http/client');
  });
});
