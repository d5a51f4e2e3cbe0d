import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createTestServer, imageOf } from 'ocikit/testing';
import { afterEach, describe, expect, test } from 'vitest';

const command = fileURLToPath(new URL('../../bin/ocikit.js', import.meta.url));
const running: ChildProcessWithoutNullStreams[] = [];
const directories: string[] = [];

afterEach(async () => {
  for (const child of running.splice(0)) {
    const closed = new Promise((resolve) => child.once('close', resolve));
    if (child.exitCode === null && child.kill('SIGKILL')) await closed;
  }
  for (const dir of directories.splice(0)) rmSync(dir, { recursive: true, force: true });
});

interface Running {
  child: ChildProcessWithoutNullStreams;
  /** What it has written to stderr. */
  log: () => string;
  exited: Promise<number | null>;
}

function serve(...args: string[]): Running {
  const cwd = mkdtempSync(join(tmpdir(), 'ocikit-proxy-'));
  directories.push(cwd);
  const child = spawn(process.execPath, [command, 'serve', '--port', '0', ...args], { cwd });
  running.push(child);
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => (stderr += piece.toString()));
  return { child, log: () => stderr, exited: new Promise((resolve) => child.on('close', resolve)) };
}

async function listening({ child, exited, log }: Running): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout.once('data', (piece: Buffer) => resolve(/http:\/\/\S+/.exec(piece.toString())?.[0] ?? ''));
    void exited.then(() => reject(new Error(log())));
  });
}

describe('ocikit serve --proxy', () => {
  test('keeps what it fetches, says so, and takes pushes with --local', async () => {
    await using upstream = await createTestServer();
    const image = imageOf();
    await upstream.addRef('library/app', '1', image);
    const server = serve('--proxy', `docker.io=${upstream.url}`, '--local', 'local', '--cache-size', '1.5GiB');
    const url = await listening(server);
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${url}/v2/app/manifests/1?ns=docker.io`);
      expect([response.status, await response.text()]).toEqual([200, Buffer.from(image.bytes).toString()]);
    }
    expect(upstream.requests.map(({ method }) => method)).toEqual(['GET']);
    expect((await fetch(`${url}/v2/app/manifests/1?ns=quay.io`)).status).toBe(404);
    const index = 'application/vnd.oci.image.index.v1+json';
    const pushed = await fetch(`${url}/v2/ours/manifests/v1`, {
      method: 'PUT',
      headers: { 'content-type': index },
      body: JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: [] }),
    });
    expect(pushed.status).toBe(201);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(server.log()).toMatch(/ cache miss tag=docker\.io\/library\/app:1\n/);
    expect(server.log()).toMatch(/ cache hit tag=docker\.io\/library\/app:1\n/);
    expect(server.log()).toMatch(/what it fetches from docker\.io: everything in .*registry-data/);
  });

  test('takes no pushes without --local', async () => {
    await using upstream = await createTestServer();
    const url = await listening(serve('--proxy', upstream.url, '--memory', '--quiet'));
    const response = await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' });
    expect([response.status, await response.text()]).toEqual([405, expect.stringContaining('no local registry')]);
  });

  test.each([
    ['--proxy', 'https://user:secret@example.org'],
    ['--proxy', 'https://example.org/path'],
    ['--proxy', 'ftp://example.org'],
    ['--proxy', ''],
    ['--proxy', 'docker.io', '--cache-size', 'much'],
    ['--proxy', 'docker.io', '--cache-size', '10XB'],
    ['--proxy', 'docker.io', '--tag-age', '5'],
    ['--local', 'somewhere'],
    ['--cache-size', '1GB'],
  ])('wrong usage is exit code 2: %s %s %s %s', async (...args) => {
    const server = serve(...args.filter((arg): arg is string => typeof arg === 'string'));
    expect(await server.exited).toBe(2);
    expect(server.log()).toMatch(/error: /);
  });
});
