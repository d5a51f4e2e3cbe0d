import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { collect, isRegistryError } from 'ocikit';
import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { openLayout, openLayouts } from 'ocikit/layout';
import { imageOf, indexOf, pushContent, randomBlob } from 'ocikit/testing';
import type { TestBlob, TestManifest } from 'ocikit/testing';
import { beforeEach, describe, expect, test } from 'vitest';

import { run, startServing, temporaryDirectory } from '../../test/run-command.ts';
import type { Outcome } from '../../test/run-command.ts';

let dir: string;
let root: string;
beforeEach(async () => {
  dir = await temporaryDirectory();
  root = join(dir, 'root');
});

function ocikit(...args: string[]): Promise<Outcome> {
  return run(args, { cwd: dir });
}

function jsonOf({ stdout }: Outcome): Record<string, unknown>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

interface Server {
  url: string;
  registry: Registry;
  log: () => string;
  stop: () => Promise<number | null>;
}

async function serve(...args: string[]): Promise<Server> {
  const { url, child, log, outcome } = await startServing(args, { cwd: dir });
  const stop = async (): Promise<number | null> => {
    child.kill('SIGTERM');
    return (await outcome).code;
  };
  return { url, registry: createClient({ host: new URL(url).host, backOff: false }), log, stop };
}

const containing = (text: string): unknown => expect.stringContaining(text);
const objectWith = (fields: object): unknown => expect.objectContaining(fields);

function layerOf(image: TestManifest): TestBlob {
  const layer = image.blobs[1];
  if (layer === undefined) throw new Error('the image has no layer');
  return layer;
}

function pathOf(repository: string, { descriptor }: TestBlob): string {
  return join(root, repository, 'blobs', descriptor.digest.replace(':', '/'));
}

describe('ocikit gc', () => {
  test.each(['per-repository', 'shared'])(
    'removes content that no tag reaches, and detects the %s layout',
    async (kind) => {
      const [kept, gone] = [imageOf(), indexOf([imageOf()])];
      {
        await using registry = (kind === 'shared' ? openLayout : openLayouts)(root);
        await pushContent(registry, 'team/app', kept, { tags: ['v1'] });
        await pushContent(registry, 'team/app', gone);
      }
      expect((await ocikit('gc', root)).stdout).toBe('removed 0 manifests, 0 blobs (0 B) of 1 repository\n');
      const dry = await ocikit('gc', root, '--grace', '0', '--dry-run');
      expect(dry.stdout.split('\n')).toHaveLength(6);
      expect(dry.stdout).toContain(
        `would remove the manifest team/app@${gone.descriptor.digest} (${gone.bytes.length} B)\n`,
      );
      expect(dry.stdout).toMatch(/^would remove 2 manifests, 2 blobs \([\d.]+ KiB\) of 1 repository$/m);
      const untagged = jsonOf(await ocikit('gc', root, '--grace', '0', '--keep-untagged', '--json'));
      expect(untagged).toEqual([expect.objectContaining({ type: 'report', manifests: { count: 0, size: 0 } })]);
      const lines = jsonOf(await ocikit('gc', root, '--grace', '0', '--json'));
      expect(lines.filter(({ type }) => type === 'garbage')).toHaveLength(4);
      expect(lines.at(-1)).toMatchObject({
        type: 'report',
        dryRun: false,
        skipped: 0,
        manifests: { count: 2 },
        blobs: { count: 2 },
      });
      await using registry = (kind === 'shared' ? openLayout : openLayouts)(root);
      expect((await registry.getTag('team/app', 'v1')).bytes).toEqual(kept.bytes);
      await expect(registry.resolveManifest('team/app', gone.descriptor.digest)).rejects.toMatchObject({
        code: 'MANIFEST_UNKNOWN',
      });
    },
  );

  test('is refused while a server runs, and says what to do', async () => {
    const { stop } = await serve('--root', root);
    const { code, stdout, stderr } = await ocikit('gc', root);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/in use by process \d+.*stop it first.*ocikit serve --gc 1h/);
    expect(await stop()).toBe(0);
    expect((await ocikit('gc', root)).code).toBe(0);
  });

  test.each([
    ['gc', '--grace', '1'],
    ['gc', '--grace', '-1h'],
    ['gc', '--layout', 'other'],
    ['gc', '--keep-history', '1 day'],
    ['history', 'Not a name'],
    ['history', 'app:'],
    ['history', 'app', '--limit', '-1'],
    ['undo', 'app'],
    ['check', '--only', 'broken'],
    ['check', '--repair-from', 'Not a host'],
    ['serve', '--gc', '0'],
    ['serve', '--gc', '30d'],
  ])('wrong usage is exit code 2: %s %s %s', async (name, ...flags) => {
    const { code, stderr } = await ocikit(name, ...(name === 'serve' ? [] : [dir]), ...flags);
    expect([code, stderr]).toEqual([2, expect.stringContaining('error: ')]);
  });

  test.each(['gc', 'check'])('%s makes no directory for a mistyped name', async (name) => {
    const { code, stderr } = await ocikit(name, join(dir, 'nothing'));
    expect([code, stderr]).toEqual([1, expect.stringContaining('nothing is not a directory')]);
    expect(await readdir(dir)).toEqual([]);
  });
});

describe('a directory', () => {
  const rules = '{ "tags": [{ "keep": { "last": 1 } }] }';
  const commands: [string, ...string[]][] = [
    ['gc'],
    ['gc', '--dry-run'],
    ['check'],
    ['check', '--quarantine'],
    ['check', '--layout', 'shared'],
    ['retain', '--rules', 'rules.json'],
    ['retain', '--rules', 'rules.json', '--dry-run'],
    ['history', 'app'],
    ['undo', 'app:v1'],
  ];

  test.each(commands)('without a registry is refused, and nothing is written: %s %s', async (name, ...args) => {
    await writeFile(join(dir, 'rules.json'), rules);
    await mkdir(join(root, 'certs', 'private'), { recursive: true });
    await mkdir(join(root, 'Upper', 'app'), { recursive: true });
    // No repository can have this name.
    await writeFile(join(root, 'Upper', 'app', 'oci-layout'), '{}');
    await writeFile(join(root, 'certs', 'index.json'), '{}');
    const before = await readdir(root, { recursive: true });
    const { code, stdout, stderr } = await ocikit(name, root, ...args);
    expect([code, stdout, stderr]).toEqual([1, '', containing(`ocikit: no registry in ${root}`)]);
    expect(await readdir(root, { recursive: true })).toEqual(before);
  });

  test('that a server has made counts as a registry, also while it is empty', async () => {
    const { stop } = await serve('--root', root);
    expect(await ocikit('check', root)).toMatchObject({ code: 0, stdout: containing('nothing is wrong') });
    expect(await stop()).toBe(0);
    expect((await ocikit('gc', root, '--dry-run')).code).toBe(0);
  });

  test('is only read by a dry run of retain, also while a server has it', async () => {
    const { stop } = await serve('--root', root);
    await writeFile(join(dir, 'rules.json'), rules);
    const before = (await readdir(root, { recursive: true })).toSorted();
    expect((await ocikit('retain', root, '--rules', join(dir, 'rules.json'), '--dry-run')).code).toBe(0);
    expect((await readdir(root, { recursive: true })).toSorted()).toEqual(before);
    expect(await stop()).toBe(0);
  });

  test.each(['per-repository', 'shared'])(
    'is only read by a dry run of gc, also while a server has it: layout %s',
    async (layout) => {
      const { registry, stop } = await serve('--root', root, '--layout', layout);
      await pushContent(registry, 'app', imageOf(), { tags: [] });
      const upload = await registry.startUpload('app');
      await upload.append(randomBlob(100_000).bytes);
      const files = async (): Promise<unknown> => {
        const names = (await readdir(root, { recursive: true })).toSorted();
        return Promise.all(names.map(async (name) => [name, (await stat(join(root, name))).mtimeMs]));
      };
      // Other tools see a push two seconds later, and the server writes a heartbeat.
      const written = ([name]: [string, number]): boolean =>
        !/^\.ocikit(?:$|.*(?:lock|journal))|index\.json/.test(name);
      const before = ((await files()) as [string, number][]).filter(written);
      const dry = await ocikit('gc', root, '--dry-run', '--grace', '0', '--layout', layout);
      expect(dry).toMatchObject({ code: 0, stderr: '', stdout: containing('would remove') });
      expect(((await files()) as [string, number][]).filter(written)).toEqual(before);
      expect(await stop()).toBe(0);
    },
  );

  test('lists for a dry run of gc and retain what they remove without it, by the times of the last server', async () => {
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
      await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
    }
    const files = (await readdir(root, { recursive: true })).filter((name) => name.includes('blobs/sha256/'));
    // The last server used them. Their files are older.
    for (const file of files) await utimes(join(root, file), 1, 1);
    const gc = (...args: string[]) => ocikit('gc', root, '--json', ...args);
    const numbers = async (result: ReturnType<typeof gc>): Promise<unknown> => {
      const { manifests, blobs } = jsonOf(await result).at(-1) ?? {};
      return { manifests, blobs };
    };
    const recent = await numbers(gc('--dry-run'));
    expect(recent).toEqual({ manifests: { count: 0, size: 0 }, blobs: { count: 0, size: 0 } });
    expect(await numbers(gc())).toEqual(recent);
    const all = await numbers(gc('--dry-run', '--grace', '0'));
    expect(all).toMatchObject({ manifests: { count: 1 } });
    expect(await numbers(gc('--grace', '0'))).toEqual(all);
  });

  test('with other registries below it is none', async () => {
    {
      await using registry = openLayouts(join(root, 'registry'));
      await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
    }
    const { code, stderr } = await ocikit('gc', root);
    expect([code, stderr]).toEqual([1, containing(`ocikit: no registry in ${root}`)]);
    expect(await readdir(root)).toEqual(['registry']);
  });

  test('with image layouts of another tool is a registry', async () => {
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'team/index.json', imageOf(), { tags: ['v1'] });
    }
    await rm(join(root, '.ocikit'), { recursive: true });
    expect(await ocikit('check', root)).toMatchObject({ code: 0, stdout: containing('checked 3 ') });
    await rm(join(root, 'team', '_index.json', 'oci-layout'));
    expect(await ocikit('check', root)).toMatchObject({ code: 0, stdout: containing('checked 3 ') });
  });

  test.each([
    [openLayouts, 'shared', 'has one layout for each repository: use --layout per-repository'],
    [openLayout, 'per-repository', 'is one layout for all repositories: use --layout shared'],
  ])('with a registry of the other kind does not pass for an empty one', async (open, kind, message) => {
    {
      await using registry = open(root);
      await pushContent(registry, 'team/app', imageOf(), { tags: ['v1'] });
    }
    const { code, stderr } = await ocikit('check', root, '--layout', kind);
    expect([code, stderr]).toEqual([1, containing(message)]);
  });
});

describe('ocikit serve --gc', () => {
  test('collects at its interval, with a line for each collection, until it stops', async () => {
    const { registry, log, stop } = await serve('--root', root, '--gc', '100ms', '--gc-grace', '1s', '--quiet');
    const [kept, gone] = [imageOf(), imageOf()];
    await pushContent(registry, 'app', kept, { tags: ['v1'] });
    await pushContent(registry, 'app', gone);
    const isGone = (): Promise<boolean> =>
      registry.resolveBlob('app', layerOf(gone).descriptor.digest).then(
        () => false,
        (error: unknown) => isRegistryError(error, 'BLOB_UNKNOWN'),
      );
    // Being asked for is a use: less often than the grace period.
    await expect.poll(isGone, { interval: 2500 }).toBe(true);
    expect(Buffer.from((await registry.getTag('app', 'v1')).bytes)).toEqual(Buffer.from(kept.bytes));
    expect(await stop()).toBe(0);
    // Not all of it need be old enough at the same time.
    const line =
      /^\S+ garbage collected repositories=1 manifests=(\d) blobs=(\d) orphans=0 bytes=\d+ skipped=0 waiting=\d+ milliseconds=\d+$/gm;
    const collected = [...log().matchAll(line)];
    const sumOf = (group: 1 | 2): number => collected.reduce((sum, found) => sum + Number(found[group]), 0);
    expect([sumOf(1), sumOf(2)]).toEqual([1, 2]);
    expect(collected.length).toBeGreaterThan(2);
    expect(log()).not.toContain('error');
  });

  test('works in memory, keeps untagged manifests with --gc-keep-untagged, and stops within its interval', async () => {
    const { registry, log, stop } = await serve(
      '--memory',
      '--gc',
      '60ms',
      '--gc-grace',
      '0',
      '--gc-keep-untagged',
      '--quiet',
    );
    const image = indexOf([]);
    await pushContent(registry, 'app', image);
    await expect.poll(() => log().split('garbage collected').length).toBeGreaterThan(3);
    expect((await registry.resolveManifest('app', image.descriptor.digest)).size).toBe(image.bytes.length);
    expect(await stop()).toBe(0);
  });
});

describe('ocikit check', () => {
  test('finds a damaged blob while it is served; the blob is then quarantined and pushed again', async () => {
    const server = await serve('--root', root);
    // For smaller ones the journal answers until it is folded.
    const image = imageOf({ layers: [randomBlob(100_000)] });
    const layer = layerOf(image);
    const { digest } = layer.descriptor;
    await pushContent(server.registry, 'app', image, { tags: ['v1'] });
    expect(await ocikit('check', root)).toMatchObject({ code: 0, stdout: containing('nothing is wrong') });

    // A corrupt file of the right size is served: no store reads its files twice. The client that pulls it verifies it.
    await writeFile(pathOf('app', layer), Buffer.alloc(layer.bytes.length));
    const content = await server.registry.getBlob('app', digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    const found = await ocikit('check', root, '--json');
    expect(found.code).toBe(1);
    const finding = { kind: 'corrupt', repository: 'app', digest, content: 'blob', neededBy: image.descriptor.digest };
    expect(jsonOf(found)).toEqual([
      expect.objectContaining({ type: 'finding', ...finding, outcome: 'left', quarantined: false }),
      expect.objectContaining({ type: 'report', left: 1, checked: { count: 3, size: expect.any(Number) as number } }),
    ]);
    // To change anything, it has to be the only one.
    expect(await ocikit('check', root, '--quarantine')).toMatchObject({
      code: 1,
      stderr: containing('is in use by'),
    });
    // A file of another size counts as missing, and the log says so.
    await writeFile(pathOf('app', layer), 'short');
    expect(await server.stop()).toBe(0);

    expect(await ocikit('check', root, '--quarantine')).toMatchObject({
      code: 1,
      stdout: containing('quarantined'),
    });
    const [aside = ''] = await readdir(join(root, '.ocikit', 'quarantine'));
    expect(aside).toMatch(new RegExp(`^${digest.replace(':', '-')}\\.[0-9a-f]{16}$`));
    expect(await readFile(join(root, '.ocikit', 'quarantine', aside), 'utf8')).toBe('short');
    expect(jsonOf(await ocikit('check', root, '--json'))[0]).toMatchObject({ ...finding, kind: 'missing' });

    const again = await serve('--root', root);
    await expect(again.registry.getBlob('app', digest)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
    await again.registry.pushBlob('app', layer.descriptor, layer.bytes);
    expect(await (await again.registry.getBlob('app', digest)).bytes()).toEqual(layer.bytes);
    expect((await ocikit('check', root)).code).toBe(0);
  });

  test('repairs from another registry, and names the content that is missing there', async () => {
    const peer = await serve('--memory');
    const [image, other] = [imageOf(), imageOf()];
    await pushContent(peer.registry, 'mirror/app', image);
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', image, { tags: ['v1'] });
      await pushContent(registry, 'app', other, { tags: ['v2'] });
    }
    await writeFile(pathOf('app', layerOf(image)), 'damaged');
    await rm(pathOf('app', layerOf(other)));
    const from = `${new URL(peer.url).host}/mirror`;
    const first = await ocikit('check', root, '--repair-from', from);
    expect(first.code).toBe(1);
    expect(first.stdout).toMatch(new RegExp(`^corrupt app@${layerOf(image).descriptor.digest} .*repaired\\)$`, 'm'));
    expect(first.stdout).toMatch(
      new RegExp(`^missing app@${layerOf(other).descriptor.digest} .*not repaired: .*\\)$`, 'm'),
    );
    expect(first.stdout).toMatch(/1 missing, 1 corrupt; 1 repaired; 1 left\n$/);
    await pushContent(peer.registry, 'mirror/app', other);
    expect((await ocikit('check', root, '--repair-from', from)).code).toBe(0);
    expect((await ocikit('check', root)).code).toBe(0);
  });

  test('says at once that the registry to repair from cannot be reached, and that it tries again', async () => {
    const image = imageOf();
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', image, { tags: ['v1'] });
    }
    await rm(pathOf('app', layerOf(image)));
    // The port of a server that has stopped.
    const peer = await serve('--memory');
    await peer.stop();
    const { code, stderr, stdout } = await ocikit('check', root, '--repair-from', new URL(peer.url).host);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^warning: .*ECONNREFUSED.*; trying again for some seconds$/m);
    expect(stderr.match(/trying again/g)).toHaveLength(1);
    expect(stdout).toMatch(/not repaired: .*ECONNREFUSED/);
  });

  test('reports only the kinds of --only', async () => {
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', imageOf());
    }
    expect((await ocikit('check', root)).code).toBe(0);
    const all = await ocikit('check', root, '--grace', '0');
    expect([all.code, all.stdout]).toEqual([1, expect.stringMatching(/3 unreachable; 3 left\n$/)]);
    expect((await ocikit('check', root, '--grace', '0', '--only', 'missing,corrupt')).code).toBe(0);
  });
});

describe('ocikit retain', () => {
  const writeRules = async (rules: unknown): Promise<string> => {
    const path = join(dir, 'rules.json');
    await writeFile(path, JSON.stringify(rules));
    return path;
  };

  test('deletes the tags that the rules do not keep, and says each', async () => {
    {
      await using registry = openLayouts(root);
      for (const tag of ['pr-1', 'pr-2', 'pr-3', 'v1'])
        await pushContent(registry, 'team/app', imageOf(), { tags: [tag] });
      await pushContent(registry, 'team/app', imageOf());
    }
    const rules = await writeRules({
      tags: [{ repositories: ['team/**'], tags: ['pr-*'], keep: { last: 1 } }],
      untagged: [{ keepUsedWithin: '7d' }],
    });
    const dry = await ocikit('retain', root, '--rules', rules, '--dry-run');
    expect(dry.stdout).toMatch(
      /^would delete team\/app:pr-2 \(at sha256:.*\)\nwould delete team\/app:pr-1 .*\nwould delete 2 tags and 0 /,
    );
    const lines = jsonOf(await ocikit('retain', root, '--rules', rules, '--json'));
    expect(lines).toEqual([
      { type: 'step', outcome: 'done', step: objectWith({ type: 'tag', tag: 'pr-2', rule: 0 }) },
      { type: 'step', outcome: 'done', step: objectWith({ type: 'tag', tag: 'pr-1' }) },
      { type: 'report', dryRun: false, tags: 2, manifests: { count: 0, size: 0 }, kept: 0 },
    ]);
    await using registry = openLayouts(root);
    expect(await collect(registry.tags('team/app'))).toEqual(['pr-3', 'v1']);
  });

  test.each([
    [{ tags: [{ keep: { lastt: 3 } }] }, /tags\[0\]\.keep has the unknown field "lastt"/],
    [{ tags: [{ keep: {} }] }, /keeps: it would delete everything/],
    [{ tags: [{ keep: { usedWithin: 30 } }] }, /usedWithin must be a duration/],
    [{ tags: [{ keep: { last: 1.5 } }] }, /last must be a whole number/],
    [{ tags: {} }, /tags must be a list/],
    [{ untagged: [{}] }, /keepUsedWithin is missing/],
    [[], /must be an object/],
  ])('deletes nothing by rules that make no sense: %j', async (rules, message) => {
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', imageOf(), { tags: ['v1'] });
    }
    const { code, stderr } = await ocikit('retain', root, '--rules', await writeRules(rules));
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    await using registry = openLayouts(root);
    expect(await collect(registry.tags('app'))).toEqual(['v1']);
  });
});

describe('ocikit history and undo', () => {
  test.each(['per-repository', 'shared'])('tell how tags moved and take that back, in a %s layout', async (kind) => {
    const [first, second] = [imageOf(), imageOf()];
    const [a, b] = [first.descriptor.digest, second.descriptor.digest];
    const open = kind === 'shared' ? openLayout : openLayouts;
    {
      await using registry = open(root);
      await pushContent(registry, 'team/app', first, { tags: ['v1', 'latest'] });
      await pushContent(registry, 'team/app', second, { tags: ['latest'] });
      await registry.deleteTag('team/app', 'v1');
    }
    const { stdout, code } = await ocikit('history', root, 'team/app');
    expect(code).toBe(0);
    const time = String.raw`^\d{4}-\d\d-\d\dT[\d:.]+Z team/app:`;
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(`${time}v1 deleted \\(was at ${a}\\)$`),
      expect.stringMatching(`${time}latest moved to ${b} \\(was at ${a}\\)$`),
      expect.stringMatching(`${time}latest set to ${a}$`),
      expect.stringMatching(`${time}v1 set to ${a}$`),
    ]);
    expect(jsonOf(await ocikit('history', root, 'team/app:latest', '--limit', '1', '--json'))).toEqual([
      { repository: 'team/app', tag: 'latest', at: containing('T'), digest: b, previous: a },
    ]);

    // The content that v1 and latest pointed to is kept, and can be restored.
    await ocikit('gc', root, '--grace', '0', '--keep-history', '1h');
    expect((await ocikit('undo', root, 'team/app:latest')).stdout).toBe(
      `team/app:latest is at ${a} again (was at ${b})\n`,
    );
    expect(jsonOf(await ocikit('undo', root, 'team/app:v1', '--json'))).toEqual([
      { repository: 'team/app', tag: 'v1', digest: a, previous: null },
    ]);
    expect((await ocikit('undo', root, 'team/app:v1')).stdout).toBe(
      `team/app:v1 is deleted, as it did not exist before (was at ${a})\n`,
    );
    await using registry = open(root);
    expect((await registry.getTag('team/app', 'latest')).bytes).toEqual(first.bytes);
  });

  test('say how to move a tag of a directory that is served', async () => {
    const server = await serve('--root', root);
    const [first, second] = [imageOf(), imageOf()];
    await pushContent(server.registry, 'app', first, { tags: ['latest'] });
    const created = await ocikit('undo', root, 'app:latest');
    expect([created.code, created.stderr]).toEqual([1, containing('is in use by process')]);
    expect(created.stderr).toContain('delete it through the server, with crane delete HOST/app:latest');
    await pushContent(server.registry, 'app', second, { tags: ['latest'] });
    const moved = await ocikit('undo', root, 'app:latest');
    expect(moved.stderr).toContain(`set the tag with crane tag HOST/app@${first.descriptor.digest} latest`);
    expect((await ocikit('undo', root, 'app:other')).stderr).toContain('is in use by process');
    await server.stop();
  });

  test('say why a tag cannot be set back', async () => {
    const [first, second] = [imageOf(), imageOf()];
    {
      await using registry = openLayouts(root);
      await pushContent(registry, 'app', first, { tags: ['latest'] });
      await pushContent(registry, 'app', second, { tags: ['latest'] });
    }
    await ocikit('gc', root, '--grace', '0');
    const gone = await ocikit('undo', root, 'app:latest');
    expect([gone.code, gone.stderr]).toEqual([1, containing('its content is gone')]);
    const unknown = await ocikit('undo', root, 'app:other');
    expect([unknown.code, unknown.stderr]).toEqual([1, containing('no move of app:other is known')]);
  });
});
