import { join } from 'node:path';

import { beforeAll, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { filesBelow, makeImage } from './images.ts';
import type { Files } from './images.ts';
import { useOras } from './oras.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';

describeWith(['oras'], 'oras', () => {
  const registry = useRegistry();
  const scratch = useScratch();
  const oras = useOras();
  let files: Files;
  let paths: string[];
  beforeAll(async () => {
    const image = await makeImage(scratch.newPath(), {
      'hello.txt': 'oras\n',
      'data.bin': { randomBytes: 1_000_000 },
    });
    files = image.files;
    paths = Object.keys(files).map((name) => join(image.context, 'files', name));
  });

  const call = async (command: string, name: string, ...rest: string[]): Promise<unknown> => {
    const { stdout } = await oras.run(command, registry.reference(name), ...rest);
    return JSON.parse(stdout);
  };
  const pull = async (name: string): Promise<Files> => {
    const directory = oras.newPath();
    await call('pull', name, directory);
    return filesBelow(directory);
  };

  for (const command of ['push', 'push-in-chunks']) {
    test(`pushes files with ${command}, and pulls them again by tag and by digest`, async () => {
      const digest = await call(command, `${command}:1`, ...paths);
      expect((await registry.manifest(command, '1')).digest).toBe(digest);
      expect(await pull(`${command}:1`)).toEqual(files);
      expect(await pull(`${command}@${String(digest)}`)).toEqual(files);
    });
  }

  test('attaches an artifact to another, which the registry lists as its referrer', async () => {
    const subject = await call('push', 'subject:1', ...paths);
    const referrer = await call('attach', 'subject:attached', registry.reference('subject:1'), ...paths);
    const response = await registry.fetch(`subject/referrers/${String(subject)}`);
    expect(await response.json()).toMatchObject({
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [{ digest: referrer }],
    });
  });

  test('lists the tags of a repository, and one less after it has deleted one', async () => {
    await call('push', 'tagged:one', ...paths);
    await call('push', 'tagged:two', ...paths.slice(1));
    expect(await call('tags', 'tagged')).toEqual(['one', 'two']);
    expect(await call('delete-tag', 'tagged', 'one')).toBe(true);
    expect(await call('tags', 'tagged')).toEqual(['two']);
  });
});
