import { connect } from 'node:net';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { run, startServing, temporaryDirectory } from '../../../test/run-command.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const missing = { mediaType: index, digest: `sha256:${'0'.repeat(64)}`, size: 2 };

function pushIndex(url: string, manifests: object[] = []): Promise<Response> {
  return fetch(`${url}/v2/app/manifests/v1`, {
    method: 'PUT',
    headers: { 'content-type': index },
    body: JSON.stringify({ schemaVersion: 2, mediaType: index, manifests }),
  });
}

describe('ocikit serve', () => {
  test('says where it listens, takes pushes and deletes, and stops with 0 on SIGTERM', async () => {
    const { url, child, outcome } = await startServing([]);
    expect((await pushIndex(url)).status).toBe(201);
    expect((await fetch(`${url}/v2/app/manifests/v1`)).status).toBe(200);
    expect((await fetch(`${url}/v2/app/manifests/v1`, { method: 'DELETE' })).status).toBe(202);
    child.kill('SIGTERM');
    const { code, stderr } = await outcome;
    expect(code).toBe(0);
    expect(stderr).toMatch(/^ocikit stores content in \/.*registry-data$/m);
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d 201 PUT \/v2\/app\/manifests\/v1 0 B [\d.]+ ms$/m);
  });

  test('keeps pushed content for the next start, and with --memory does not', async () => {
    const root = await temporaryDirectory();
    for (const layout of ['per-repository', 'shared']) {
      const args = ['--root', join(root, layout), '--layout', layout];
      const first = await startServing(args);
      await pushIndex(first.url);
      first.child.kill('SIGTERM');
      expect((await first.outcome).code).toBe(0);
      const second = await startServing(args);
      expect((await fetch(`${second.url}/v2/app/manifests/v1`)).status).toBe(200);
      const { code, stderr } = await run(['serve', '--port', '0', ...args]);
      expect([code, stderr]).toEqual([1, expect.stringContaining(`process ${second.child.pid}`)]);
    }
    const memory = await startServing(['--memory']);
    await pushIndex(memory.url);
    memory.child.kill('SIGTERM');
    expect((await memory.outcome).stderr).toContain('ocikit stores content in memory');
  });

  test('stops with 0 on SIGINT', async () => {
    const { child, outcome } = await startServing(['--memory', '--quiet']);
    child.kill('SIGINT');
    expect((await outcome).code).toBe(0);
  });

  test('finishes a running upload before it stops', async () => {
    const { url, child, outcome } = await startServing([]);
    const location = (await fetch(`${url}/v2/app/blobs/uploads/`, { method: 'POST' })).headers.get('location') ?? '';
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`PATCH ${location} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n01234`);
    const answer = new Promise<string>((resolve) => socket.once('data', (piece: Buffer) => resolve(piece.toString())));
    await expect.poll(async () => (await fetch(url + location)).headers.get('upload-offset')).toBe('5');
    child.kill('SIGTERM');
    await expect
      .poll(() =>
        fetch(`${url}/v2/`).then(
          () => true,
          () => false,
        ),
      )
      .toBe(false);
    socket.write('56789');
    expect(await answer).toMatch(/^HTTP\/1.1 202 [^]*Connection: close/);
    expect((await outcome).code).toBe(0);
  });

  test('--read-only refuses pushes', async () => {
    const { url } = await startServing(['--read-only']);
    expect((await pushIndex(url)).status).toBe(405);
    expect(await (await fetch(`${url}/v2/_catalog`)).json()).toEqual({ repositories: [] });
  });

  test('accepts manifests that name missing content only with --sparse', async () => {
    const [strict, sparse] = await Promise.all([startServing([]), startServing(['--sparse'])]);
    expect((await pushIndex(strict.url, [missing])).status).toBe(404);
    expect((await pushIndex(sparse.url, [missing])).status).toBe(201);
  });

  test('refuses types that RFC 6838 does not allow only with --strict-media-types', async () => {
    const [usual, strict] = await Promise.all([
      startServing(['--sparse']),
      startServing(['--sparse', '--strict-media-types']),
    ]);
    const loose = { ...missing, artifactType: 'foo' };
    expect((await pushIndex(usual.url, [loose])).status).toBe(201);
    expect((await pushIndex(strict.url, [loose])).status).toBe(400);
    expect((await pushIndex(strict.url, [missing])).status).toBe(201);
  });

  test('--host chooses the address', async () => {
    expect((await startServing(['--host', '127.0.0.2'])).url).toMatch(/^http:\/\/127\.0\.0\.2:\d+$/);
  });

  test('answers to the names of this machine and to those of --allow-host, and names the flag to others', async () => {
    const { url } = await startServing(['--memory', '--allow-host', 'registry.example.com', '--allow-host', '*.test']);
    const ask = (host: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(Number(new URL(url).port), '127.0.0.1');
        let answer = '';
        socket.on('data', (piece: Buffer) => (answer += piece.toString()));
        socket.on('error', reject);
        socket.on('close', () => resolve(answer));
        socket.write(`GET /v2/ HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      });
    for (const host of ['localhost:5000', 'host.docker.internal', 'registry.example.com', 'a.test:80']) {
      expect(await ask(host)).toMatch(/^HTTP\/1.1 200 /);
    }
    expect(await ask('evil.example')).toMatch(/^HTTP\/1.1 421 [^]*--allow-host evil\.example/);
  });

  test('a path with control characters cannot write lines of its own into the log', async () => {
    const { url, child, outcome } = await startServing([]);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write('GET /v2/?x=\x1b[31m\tred HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 'latin1');
    await new Promise((resolve) => socket.resume().once('close', resolve));
    child.kill('SIGTERM');
    const { stderr } = await outcome;
    expect(stderr).not.toMatch(/[^\P{Cc}\n]/u);
  });

  test('a port that is taken is an error with a hint, and exit code 1', async () => {
    const { url } = await startServing([]);
    const { code, stdout, stderr } = await run(['serve', '--port', new URL(url).port]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/EADDRINUSE[^]*--port/);
  });

  test.each([
    ['serve', '--port', 'x'],
    ['serve', '--port', '65536'],
    ['serve', '--allow-host', 'https://registry.example.com'],
    ['serve', '--allow-host', 'registry.example.com:443'],
    ['serve', '--allow-host', ''],
    ['serve', '--keep-alive', '0'],
    ['serve', '--keep-alive', '30d'],
    ['serve', '--nonsense'],
    ['nonsense'],
    ['serve', 'extra'],
  ])('wrong usage is exit code 2: %s %s %s', async (...args) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: /);
  });

  test.each([
    [['--help'], 'Usage: ocikit'],
    [['serve', '--help'], '--read-only'],
    [['--version'], '0.1.0'],
  ])('%o answers on stdout with exit code 0', async (args, text) => {
    const { code, stdout } = await run(args);
    expect(code).toBe(0);
    expect(stdout).toContain(text);
  });
});

test.each([
  [['--memory', '--root', 'x'], /--memory cannot be combined with --root/],
  [['--gc-grace', '1h'], /--gc-grace has no effect without --gc/],
  [['--gc-keep-untagged'], /--gc-keep-untagged has no effect without --gc/],
  [['--gc-keep-history', '7d'], /--gc-keep-history has no effect without --gc/],
])('ocikit serve %j is wrong usage', async (args, message) => {
  const { code, stderr } = await run(['serve', '--port', '0', ...args]);
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});
