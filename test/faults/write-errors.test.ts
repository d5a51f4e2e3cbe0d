import { execFileSync } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { beforeEach, describe, expect, test } from 'vitest';

import { emptyConfig, newBlob, newManifest } from './content.ts';
import type { Manifest } from './content.ts';
import { requireFailingCalls, useFailingCalls } from './failing-calls.ts';
import { faultsOfLayouts } from './layout-check.ts';
import { deleteManifest, getBlob, getManifest, pushBlob, pushBlobInChunks, pushManifest } from './requests.ts';
import type { Answer } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';
import type { Server } from './server.ts';

const scratch = useScratch();
const servers = useServers();
const failures = useFailingCalls(() => scratch.newDirectory());

const writeCalls = 'write,pwrite64,writev,pwritev';

function expectFailed({ status, body }: Answer): void {
  expect(status).toBeGreaterThanOrEqual(500);
  expect(JSON.parse(body.toString())).toMatchObject({ errors: [{ code: expect.any(String) as unknown }] });
}

describe.each(['per-repository', 'shared'])('with the layout %s', (layout) => {
  const flags = ['--layout', layout];
  const repository = 'team/app';
  const journalOf = (root: string, generation = 1): string => join(root, '.ocikit', `journal-${generation}`);

  /** More generations than a test reaches. */
  const journalsOf = (root: string): string[] => Array.from({ length: 30 }, (_, i) => journalOf(root, i + 1));

  interface Begun {
    root: string;
    server: Server;
    /** The digest of each tag after the acknowledged requests. */
    tags: Map<string, Manifest>;
  }

  async function begin(): Promise<Begun> {
    const root = await scratch.newDirectory();
    const server = await servers.start(root, { flags });
    const tags = new Map<string, Manifest>();
    expect((await pushBlob(server.url, repository, emptyConfig)).status).toBe(201);
    for (const tag of ['latest', 'a', 'b']) await pushTo({ server, tags }, tag);
    return { root, server, tags };
  }

  async function pushTo({ server, tags }: Pick<Begun, 'server' | 'tags'>, tag: string): Promise<void> {
    const manifest = newManifest();
    expect((await pushManifest(server.url, repository, manifest, tag)).status).toBe(201);
    tags.set(tag, manifest);
  }

  async function expectTags(
    url: string,
    tags: ReadonlyMap<string, Manifest>,
    refused: readonly string[],
  ): Promise<void> {
    for (const [tag, { bytes }] of tags) expect((await getManifest(url, repository, tag)).body, tag).toEqual(bytes);
    for (const tag of refused) expect((await getManifest(url, repository, tag)).status, tag).toBe(404);
  }

  /** Checks the tags after a kill, from the journal, and after a stop, from the index. */
  async function expectAfterRestarts({ root, server, tags }: Begun, refused: readonly string[]): Promise<void> {
    await server.kill();
    const second = await servers.start(root, { flags });
    await expectTags(second.url, tags, refused);
    expect(second.log()).not.toContain('warning');
    await pushTo({ server: second, tags }, 'restarted');
    expect(await second.stop()).toBe(0);
    expect(await faultsOfLayouts(root)).toEqual([]);
    expect((await readdir(join(root, '.ocikit'))).filter((name) => name.startsWith('journal-'))).toEqual([]);
    await expectTags((await servers.start(root, { flags })).url, tags, refused);
  }

  /** Moves a tag, creates one and deletes one. All three have to fail. */
  async function expectRefusals(url: string): Promise<void> {
    expectFailed(await pushManifest(url, repository, newManifest(), 'latest'));
    expectFailed(await pushManifest(url, repository, newManifest(), 'refused'));
    expectFailed(await deleteManifest(url, repository, 'a'));
  }

  test('a push fails if its journal cannot be synced, and the next push uses another journal', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, server, tags } = begun;
    await failures.begin(server.pid, { calls: 'fdatasync', paths: [journalOf(root)] });
    expectFailed(await pushManifest(server.url, repository, newManifest(), 'latest'));
    await expectTags(server.url, tags, []);
    await expect.poll(async () => (await pushManifest(server.url, repository, newManifest(), 'next')).status).toBe(201);
    await pushTo(begun, 'next');
    expect((await failures.end()).length).toBeGreaterThan(0);
    await server.logged('EIO');
    await pushTo(begun, 'after');
    await expectTags(server.url, tags, []);
    await expectAfterRestarts(begun, []);
  });

  test('no request is acknowledged while no journal can be synced, and all succeed afterwards', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, server, tags } = begun;
    await failures.begin(server.pid, { calls: 'fdatasync', paths: journalsOf(root) });
    for (let i = 0; i < 3; i++) {
      await expectRefusals(server.url);
      // A broken journal refuses requests until it is replaced.
      await pause(300);
    }
    await expectTags(server.url, tags, ['refused']);
    // The first journal and its successor. A third one follows only once the fold between them has failed.
    expect((await failures.end()).length).toBeGreaterThan(1);
    // By now the broken journal is being replaced, or this push notices that it has to be.
    await expect
      .poll(async () => (await pushManifest(server.url, repository, newManifest(), 'after')).status)
      .toBe(201);
    await pushTo(begun, 'after');
    await expectTags(server.url, tags, ['refused']);
    await expectAfterRestarts(begun, ['refused']);
  });

  test('a server that is killed while its journal cannot be synced loses nothing', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, server, tags } = begun;
    await failures.begin(server.pid, { calls: 'fdatasync', paths: journalsOf(root) });
    await expectRefusals(server.url);
    await server.kill();
    const restarted = await servers.start(root, { flags });
    await expectTags(restarted.url, tags, ['refused']);
    await pushTo({ server: restarted, tags }, 'after');
  });

  test('a push fails if its journal cannot be written, and the next push uses the same journal', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, server, tags } = begun;
    const { size } = await stat(journalOf(root));
    await failures.begin(server.pid, { calls: writeCalls, paths: [journalOf(root)] });
    await expectRefusals(server.url);
    await expectTags(server.url, tags, ['refused']);
    expect((await failures.end()).length).toBeGreaterThanOrEqual(3);
    expect((await stat(journalOf(root))).size).toBe(size);
    await pushTo(begun, 'after');
    expect((await stat(journalOf(root))).size).toBeGreaterThan(size);
    await expectAfterRestarts(begun, ['refused']);
  });

  test('a push fails if its journal cannot be created, and the next push creates the journal', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, tags } = begun;
    expect(await begun.server.stop()).toBe(0);
    const server = await servers.start(root, { flags });
    for (const calls of [writeCalls, 'fdatasync']) {
      await failures.begin(server.pid, { calls, paths: journalsOf(root) });
      await expectRefusals(server.url);
      expect((await failures.end()).length).toBeGreaterThan(0);
    }
    await expectTags(server.url, tags, ['refused']);
    await expect
      .poll(async () => (await pushManifest(server.url, repository, newManifest(), 'after')).status)
      .toBe(201);
    await pushTo({ server, tags }, 'after');
    await expectAfterRestarts({ root, server, tags }, ['refused']);
  });

  test('no request is acknowledged while no file can be synced, and pulls still succeed', async (context) => {
    requireFailingCalls(context);
    const begun = await begin();
    const { root, server, tags } = begun;
    const blobs = [newBlob(1000), newBlob(100_000)];
    await failures.begin(server.pid, { calls: 'fdatasync,fsync' });
    for (const blob of blobs) {
      expectFailed(await pushBlob(server.url, repository, blob));
      expectFailed(await pushBlobInChunks(server.url, repository, blob));
      expectFailed(await pushBlob(server.url, 'new', blob));
    }
    await expectRefusals(server.url);
    await expectTags(server.url, tags, ['refused']);
    expect((await getBlob(server.url, repository, emptyConfig.digest)).body).toEqual(emptyConfig.bytes);
    expect((await failures.end()).length).toBeGreaterThan(8);

    for (const blob of blobs) {
      expect((await pushBlob(server.url, repository, blob)).status).toBe(201);
      expect((await pushBlobInChunks(server.url, 'new', blob)).status).toBe(201);
      expect((await getBlob(server.url, 'new', blob.digest)).body.equals(blob.bytes)).toBe(true);
    }
    await pushTo(begun, 'after');
    await expectAfterRestarts(begun, ['refused']);
    expect((await readdir(root, { recursive: true })).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  describe('a journal with a record that is only partly written', () => {
    const limiter = 'prlimit';
    beforeEach((context) => {
      requireOf(context, missingCommand(limiter, '--version'));
    });

    /** Limits the size of the server's files: a write is cut at the limit, and the next one fails with EFBIG. */
    function limitFiles(server: Server, bytes: number | 'unlimited'): void {
      execFileSync(limiter, ['--pid', `${server.pid}`, `--fsize=${bytes}:`]);
    }

    async function beginLimited(): Promise<Begun & { size: number; before: Buffer }> {
      const begun = await begin();
      // Make the journal larger than every other file, so that only the journal reaches the limit.
      for (let i = 0; i < 10; i++) await pushTo(begun, `${i}`.padEnd(100, 'x'));
      const journal = journalOf(begun.root);
      return { ...begun, size: (await stat(journal)).size, before: await readFile(journal) };
    }

    test.each([3, 100])('up to %i bytes is cut back to its last complete record', async (part) => {
      const begun = await beginLimited();
      const { root, server, tags, size, before } = begun;
      limitFiles(server, size + part);
      expectFailed(await pushManifest(server.url, repository, newManifest(), 'latest'));
      expectFailed(await deleteManifest(server.url, repository, 'a'));
      await server.logged('EFBIG');
      expect(await readFile(journalOf(root))).toEqual(before);
      await expectTags(server.url, tags, []);
      limitFiles(server, 'unlimited');
      await pushTo(begun, 'latest');
      await pushTo(begun, 'after');
      await expectTags(server.url, tags, []);
      await expectAfterRestarts(begun, []);
    });

    test('is read up to its last complete record after a kill', async () => {
      const begun = await beginLimited();
      const { server, size } = begun;
      limitFiles(server, size + 20);
      expectFailed(await pushManifest(server.url, repository, newManifest(), 'refused'));
      await expectAfterRestarts(begun, ['refused']);
    });

    test('fails only the requests with records in the same write', async () => {
      const begun = await beginLimited();
      const { server, tags, size } = begun;
      limitFiles(server, size + 1000);
      const pushes = Array.from({ length: 12 }, (_, i) => ({ tag: `group-${i}`, manifest: newManifest() }));
      const answers = await Promise.all(
        pushes.map(({ tag, manifest }) => pushManifest(server.url, repository, manifest, tag)),
      );
      const refused: string[] = [];
      for (const [i, { tag, manifest }] of pushes.entries()) {
        if (answers[i]?.status === 201) tags.set(tag, manifest);
        else refused.push(tag);
      }
      expect(refused.length).toBeGreaterThan(0);
      for (const answer of answers) if (answer.status !== 201) expectFailed(answer);
      await expectTags(server.url, tags, refused);
      limitFiles(server, 'unlimited');
      await pushTo(begun, 'after');
      await expectAfterRestarts(begun, refused);
    });
  });
});
