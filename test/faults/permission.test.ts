import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';
import type { TestContext } from 'vitest';

import { emptyConfig, newBlob, newManifest } from './content.ts';
import type { Manifest } from './content.ts';
import { deleteManifest, getBlob, getManifest, pushBlob, pushManifest, pushSmall, request } from './requests.ts';
import { missingCommand, requireOf } from './requirement.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';

const scratch = useScratch();
const servers = useServers();

const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;

function requireNobody(context: TestContext): void {
  requireOf(
    context,
    process.getuid?.() === 0
      ? missingCommand(nobody[0], ...nobody.slice(1), process.execPath, '--version')
      : 'only root can become somebody else',
  );
}

/** Returns all paths below a directory, with the bytes of files. */
async function filesBelow(dir: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    found.set(path, entry.isFile() ? await readFile(path, 'base64') : '');
  }
  return found;
}

describe.each(['per-repository', 'shared'])('a root that may be read and not written, with the layout %s', (layout) => {
  const flags = ['--layout', layout];

  /** Creates the root with a server of the user root: part of the content is in the index, part in the journal. */
  async function left(): Promise<{ root: string; folded: Manifest; latest: Manifest }> {
    const root = await scratch.newDirectory();
    const [folded, latest] = [newManifest(), newManifest()];
    const first = await servers.start(root, { flags });
    expect((await pushSmall(first.url, 'team/app', folded, 'folded')).status).toBe(201);
    expect(await first.stop()).toBe(0);
    const second = await servers.start(root, { flags });
    expect((await pushSmall(second.url, 'team/app', latest, 'latest')).status).toBe(201);
    await second.kill();
    // A server lets no other user into this directory.
    execFileSync('chmod', ['-R', 'a+rX', join(root, '.ocikit')]);
    return { root, folded, latest };
  }

  test('is served with --read-only, refuses pushes, and does not change', async (context) => {
    requireNobody(context);
    const { root, folded, latest } = await left();
    const before = await filesBelow(root);
    const server = await servers.start(root, { flags: [...flags, '--read-only'], through: nobody });
    const { url } = server;
    expect((await getManifest(url, 'team/app', 'folded')).body).toEqual(folded.bytes);
    expect((await getManifest(url, 'team/app', 'latest')).body).toEqual(latest.bytes);
    expect((await getBlob(url, 'team/app', emptyConfig.digest)).body).toEqual(emptyConfig.bytes);
    const catalog = (await request('GET', `${url}/v2/_catalog`)).body.toString();
    expect(JSON.parse(catalog)).toEqual({ repositories: ['team/app'] });
    for (const answer of [
      await pushBlob(url, 'team/app', newBlob(10)),
      await pushManifest(url, 'team/app', newManifest(), 'latest'),
      await deleteManifest(url, 'team/app', 'latest'),
    ]) {
      expect(answer.status).toBe(405);
      expect(JSON.parse(answer.body.toString())).toMatchObject({ errors: [{ code: 'UNSUPPORTED' }] });
    }
    expect(await filesBelow(root)).toEqual(before);
    expect(server.log()).not.toContain('error:');
  });

  test('is refused at the start by a writing server, and does not change', async (context) => {
    requireNobody(context);
    const { root } = await left();
    const before = await filesBelow(root);
    const { code, stderr } = await servers.startToFailure(root, { flags, through: nobody });
    expect(code).toBe(1);
    expect(stderr).toContain('EACCES');
    expect(stderr).toContain(root);
    expect(await filesBelow(root)).toEqual(before);
  });

  test('is read by the library, and its pushes name the missing permission', async (context) => {
    requireNobody(context);
    const { root, latest } = await left();
    const before = await filesBelow(root);
    const script = `
      import { openLayout, openLayouts } from 'ocikit/layout';
      const [root, digest] = process.argv.slice(1);
      const registry = ${layout === 'shared' ? 'openLayout' : 'openLayouts'}(root);
      const asked = [
        () => registry.getTag('team/app', 'latest').then(({ descriptor }) => descriptor.digest),
        () => registry.pushBlob('team/app', { digest }, new TextEncoder().encode('{}')),
        () => registry.deleteTag('team/app', 'latest'),
        () => registry.startUpload('team/app'),
        () => registry.getTag('team/app', 'latest').then(({ descriptor }) => descriptor.digest),
        () => registry.close(),
      ];
      const outcomes = [];
      for (const ask of asked) outcomes.push(await ask().catch((error) => error.message));
      console.log(JSON.stringify(outcomes));
    `;
    const [file, ...args] = [
      ...nobody,
      process.execPath,
      '--input-type=module',
      '-e',
      script,
      root,
      emptyConfig.digest,
    ];
    const output = execFileSync(file, args, { cwd: import.meta.dirname, encoding: 'utf8', timeout: 20_000 });
    const refused = expect.stringMatching(/^EACCES.*\.ocikit/) as unknown;
    expect(JSON.parse(output)).toEqual([latest.digest, refused, refused, refused, latest.digest, null]);
    expect(await filesBelow(root)).toEqual(before);
  });
});
