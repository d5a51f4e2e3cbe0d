import { cp, readdir, readFile, stat } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';

import { emptyConfig, hexOf, newBlob, newManifest } from './content.ts';
import type { Content, Manifest } from './content.ts';
import { failedCalls, failing, requireFailingCalls, useFailingCalls } from './failing-calls.ts';
import { faultsOfLayouts } from './layout-check.ts';
import { getBlob, getManifest, pushBlob, pushManifest, pushSmall, request } from './requests.ts';
import type { Answer } from './requests.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const servers = useServers();
const failures = useFailingCalls(() => scratch.newDirectory());

const mebibyte = 1024 * 1024;
const readCalls = 'read,pread64,readv,preadv';

function expectFailed({ status, body }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(500);
  expect(JSON.parse(body.toString())).toMatchObject({ errors: [{ code: expect.any(String) as unknown }] });
}

/** Returns the bytes of a blob that arrive before the connection ends. */
interface Received {
  status: number | undefined;
  bytes: Buffer;
  isWhole: boolean;
}

function receiveBlob(url: string, repository: string, digest: string): Promise<Received> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(`${url}/v2/${repository}/blobs/${digest}`, { agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', () => undefined);
      answer.once('close', () => {
        resolve({ status: answer.statusCode, bytes: Buffer.concat(pieces), isWhole: answer.complete });
      });
    });
    asked.once('error', reject);
    asked.end();
  });
}

/** Returns every file below a directory, with its bytes, except the lock, which changes with its owner. */
async function filesBelow(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && entry.name !== 'lock') found.set(path, await readFile(path, 'base64'));
  }
  return found;
}

describe.each(['per-repository', 'shared'])('with the layout %s', (layout) => {
  const flags = ['--layout', layout];
  const repository = 'team/app';
  const layoutOf = (root: string): string => (layout === 'shared' ? root : join(root, repository));
  const blobPath = (root: string, { digest }: Content): string =>
    join(layoutOf(root), 'blobs', 'sha256', hexOf(digest));

  interface Pushed {
    root: string;
    large: Content;
    small: Content;
    manifest: Manifest;
    other: Manifest;
  }

  /**
   * Creates a root whose server ended by SIGTERM, with everything in the indexes, or by SIGKILL, with it in the
   * journal.
   */
  async function pushed(context: TestContext, end: 'stop' | 'kill'): Promise<Pushed> {
    requireFailingCalls(context);
    const root = await scratch.newDirectory();
    const [large, small] = [newBlob(48 * mebibyte), newBlob(1000)];
    const [manifest, other] = [newManifest(), newManifest()];
    const server = await servers.start(root, { flags });
    for (const blob of [large, small]) expect((await pushBlob(server.url, repository, blob)).status).toBe(201);
    expect((await pushSmall(server.url, repository, manifest, '1')).status).toBe(201);
    expect((await pushSmall(server.url, 'other', other, '1')).status).toBe(201);
    await server[end]();
    return { root, large, small, manifest, other };
  }

  async function expectAll(url: string, { large, small, manifest, other }: Omit<Pushed, 'root'>): Promise<void> {
    for (const { digest, bytes } of [large, small]) {
      expect((await getBlob(url, repository, digest)).body.equals(bytes)).toBe(true);
    }
    expect((await getManifest(url, repository, '1')).body).toEqual(manifest.bytes);
    expect((await getManifest(url, 'other', '1')).body).toEqual(other.bytes);
  }

  test('a blob that cannot be read is an error before its first byte, and other blobs are served', async (context) => {
    const { root, ...content } = await pushed(context, 'stop');
    const server = await servers.start(root, { flags });
    await failures.begin(server.pid, {
      calls: readCalls,
      paths: [blobPath(root, content.large), blobPath(root, content.manifest)],
    });
    expectFailed(await getBlob(server.url, repository, content.large.digest));
    expectFailed(await getManifest(server.url, repository, '1'));
    expect((await getBlob(server.url, repository, content.small.digest)).body).toEqual(content.small.bytes);
    expect((await getManifest(server.url, 'other', '1')).body).toEqual(content.other.bytes);
    expect((await pushBlob(server.url, repository, newBlob(100))).status).toBe(201);
    expect((await pushManifest(server.url, repository, newManifest(), '2')).status).toBe(201);
    expect((await failures.end()).length).toBeGreaterThanOrEqual(2);
    await server.logged('EIO');

    await expectAll(server.url, content);
    expect(await server.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });

  test('a blob that cannot be read to its end is cut off, and never has a wrong byte', async (context) => {
    const { root, ...content } = await pushed(context, 'stop');
    const server = await servers.start(root, { flags });
    const { digest, bytes } = content.large;
    // The first two reads of each thread succeed, so the first bytes arrive, and one of the first nine of 24 reads
    // fails.
    await failures.begin(server.pid, { calls: readCalls, paths: [blobPath(root, content.large)], after: 2 });
    const received = await receiveBlob(server.url, repository, digest);
    expect(received.status).toBe(200);
    expect(received.isWhole).toBe(false);
    expect(received.bytes.length).toBeLessThan(bytes.length);
    expect(received.bytes.equals(bytes.subarray(0, received.bytes.length))).toBe(true);
    expect((await getBlob(server.url, repository, content.small.digest)).body).toEqual(content.small.bytes);
    expect((await failures.end()).length).toBeGreaterThan(0);
    await expectAll(server.url, content);
  });

  test('an index that cannot be read is an error, is not replaced, and needs no restart', async (context) => {
    const { root, ...content } = await pushed(context, 'stop');
    const index = join(layoutOf(root), 'index.json');
    const server = await servers.start(root, { flags });
    const before = await filesBelow(root);
    await failures.begin(server.pid, { calls: readCalls, paths: [index] });
    const answers = [
      await getManifest(server.url, repository, '1'),
      await getBlob(server.url, repository, content.small.digest),
      await pushBlob(server.url, repository, newBlob(100)),
      await pushManifest(server.url, repository, newManifest(), '1'),
      await request('DELETE', `${server.url}/v2/${repository}/manifests/1`),
    ];
    for (const answer of answers) {
      expectFailed(answer);
      expect(answer.body.toString()).toContain('index.json');
    }
    if (layout === 'per-repository') {
      expect((await getManifest(server.url, 'other', '1')).body).toEqual(content.other.bytes);
    }
    expect((await request('GET', `${server.url}/v2/`)).status).toBe(200);
    const after = await filesBelow(root);
    for (const [path, bytes] of before) expect(after.get(path), path).toBe(bytes);
    expect((await failures.end()).length).toBeGreaterThanOrEqual(answers.length);

    await expectAll(server.url, content);
    expect((await pushManifest(server.url, repository, newManifest(), '2')).status).toBe(201);
    expect(await server.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
  });

  test('an index that cannot be read before the next write loses nothing', async (context) => {
    const { root, ...content } = await pushed(context, 'stop');
    const server = await servers.start(root, { flags });
    const manifest = newManifest();
    expect((await pushManifest(server.url, repository, manifest, '2')).status).toBe(201);
    const index = join(layoutOf(root), 'index.json');
    // Another tool has written the index, so the server reads it before replacing it.
    await cp(index, `${index}.new`);
    await cp(`${index}.new`, index);
    await failures.begin(server.pid, { calls: readCalls, paths: [index] });
    expect(await server.stop()).toBe(1);
    expect((await failures.end()).length).toBeGreaterThan(0);
    await server.logged('index.json');

    const restarted = await servers.start(root, { flags });
    await expectAll(restarted.url, content);
    expect((await getManifest(restarted.url, repository, '2')).body).toEqual(manifest.bytes);
  });

  test('a journal that cannot be read is a clear error at the start, and is not changed', async (context) => {
    const { root, ...content } = await pushed(context, 'kill');
    const journal = join(root, '.ocikit', 'journal-1');
    const before = await filesBelow(root);
    const file = join(await scratch.newDirectory(), 'failed');
    const through = failing({ calls: readCalls, paths: [journal] }, file);
    const { code, stderr } = await servers.startToFailure(root, { flags, through });
    expect(code).toBe(1);
    expect(stderr).toContain(journal);
    expect(stderr).toContain('EIO');
    expect((await failedCalls(file)).length).toBeGreaterThan(0);
    expect(await filesBelow(root)).toEqual(before);

    const server = await servers.start(root, { flags });
    await expectAll(server.url, content);
    expect(server.log()).not.toContain('warning');
  });

  test('a read-only server answers with an error while a journal cannot be read, and needs no restart', async (context) => {
    const { root, ...content } = await pushed(context, 'kill');
    const journal = join(root, '.ocikit', 'journal-1');
    const server = await servers.start(root, { flags: [...flags, '--read-only'] });
    const before = await stat(journal);
    await failures.begin(server.pid, { calls: readCalls, paths: [journal] });
    for (const path of [`${repository}/manifests/1`, 'other/manifests/1']) {
      const answer = await request('GET', `${server.url}/v2/${path}`);
      expectFailed(answer);
      expect(answer.body.toString()).toContain('journal-1');
    }
    expect((await failures.end()).length).toBeGreaterThan(0);
    await expectAll(server.url, content);
    expect((await stat(journal)).mtimeMs).toBe(before.mtimeMs);
  });
});

test('a directory that cannot be listed is an error, not a shorter list of repositories', async (context) => {
  requireFailingCalls(context);
  const root = await scratch.newDirectory();
  const first = await servers.start(root);
  for (const name of ['a/b', 'c']) expect((await pushBlob(first.url, name, emptyConfig)).status).toBe(201);
  expect(await first.stop()).toBe(0);
  const server = await servers.start(root);
  await failures.begin(server.pid, { calls: 'getdents64', paths: [join(root, 'a')] });
  expectFailed(await request('GET', `${server.url}/v2/_catalog`));
  expect((await failures.end()).length).toBeGreaterThan(0);
  const { body } = await request('GET', `${server.url}/v2/_catalog`);
  expect(JSON.parse(body.toString())).toEqual({ repositories: ['a/b', 'c'] });
});
