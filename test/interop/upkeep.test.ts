import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { beforeAll, describe, expect, test } from 'vitest';

import { presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { usePodman } from './podman.ts';
import { run, runToFailure } from './run.ts';
import { useScratch } from './scratch.ts';
import { givenRegistry, useDirectoryRegistry, useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const command = fileURLToPath(new URL('../../packages/cli/bin/ocikit.js', import.meta.url));
const use = { docker: useDocker, podman: usePodman, skopeo: useSkopeo, crane: useCrane };

/** Runs a command of ocikit. Returns its results. */
async function ocikit(...args: string[]): Promise<string> {
  return (await run(process.execPath, [command, ...args])).stdout;
}

// A given registry has its own flags.
describe.skipIf(givenRegistry !== undefined)('during frequent garbage collections', () => {
  // The grace period covers the time between a client's request for a blob and its manifest.
  const registry = useRegistry('--gc', '100ms', '--gc-grace', '10s');
  const scratch = useScratch();
  let images: Image[];
  beforeAll(async () => {
    images = await Promise.all(
      [1, 2].map((i) =>
        makeImage(scratch.newPath(), { 'name.txt': `image ${i}\n`, 'data.bin': { randomBytes: 3_000_000 } }),
      ),
    );
  });

  for (const name of presentClients(['docker', 'podman', 'skopeo', 'crane'])) {
    describe(`with ${name}`, () => {
      const client = use[name]();
      test('the last of several images under one tag is pulled whole', async () => {
        const reference = registry.reference(`${name}:moving`);
        const digests: string[] = [];
        for (const image of [...images, ...images]) digests.push(await client.push(image, reference));
        const statusOfFirst = async (): Promise<number> => {
          // Each request for the manifest counts as a use, which keeps it for as long as the grace period.
          await delay(12_000);
          return (await registry.fetch(`${name}/manifests/${digests[0]}`)).status;
        };
        await expect.poll(statusOfFirst, { timeout: 100_000 }).toBe(404);
        expect((await client.pull(reference)).files).toEqual(images.at(-1)?.files);
      });
    });
  }
});

describe.skipIf(givenRegistry !== undefined)("a layout of skopeo's", () => {
  const skopeo = useSkopeo();
  const scratch = useScratch();

  test.runIf(presentClients(['skopeo']).length > 0)(
    'is left as it is by gc, and check finds what is damaged',
    async () => {
      const [image, layout] = [await makeImage(scratch.newPath(), { 'a.txt': 'a\n' }), scratch.newPath()];
      await skopeo.run('copy', `oci:${image.layout}:image`, `oci:${layout}:1`);
      await skopeo.run('copy', `oci:${image.layout}:image`, `oci:${layout}:team/app:2`);
      const before = await readFile(join(layout, 'index.json'), 'utf8');
      expect(await ocikit('gc', layout, '--grace', '0')).toMatch(
        /^removed 0 manifests, 0 blobs \(0 B\) of 1 repository$/m,
      );
      expect(await ocikit('check', layout)).toContain('nothing is wrong');
      expect(
        (JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: unknown[] }).manifests,
      ).toEqual((JSON.parse(before) as { manifests: unknown[] }).manifests);
      for (const name of ['1', 'team/app:2']) await skopeo.run('inspect', `oci:${layout}:${name}`);

      const manifest = JSON.parse(await readFile(join(layout, 'blobs', image.digest.replace(':', '/')), 'utf8')) as {
        layers: { digest: string }[];
      };
      const layer = manifest.layers[0]?.digest ?? '';
      await writeFile(join(layout, 'blobs', layer.replace(':', '/')), 'damaged');
      const failure = await runToFailure(process.execPath, [command, 'check', layout]);
      expect(failure.stdout).toMatch(new RegExp(`^corrupt team/app@${layer} `, 'm'));
    },
  );
});

describe.skipIf(givenRegistry !== undefined)('a server that was stopped', () => {
  const registry = useDirectoryRegistry();
  const skopeo = useSkopeo();
  const scratch = useScratch();

  test.runIf(presentClients(['skopeo']).length > 0)(
    'has its garbage collected, and skopeo pulls what is left',
    async () => {
      const [kept, gone] = await Promise.all([
        makeImage(scratch.newPath(), { 'a.txt': 'kept\n' }),
        makeImage(scratch.newPath(), { 'a.txt': 'gone\n' }),
      ]);
      await registry.start();
      await skopeo.push(gone, registry.reference('app:latest'));
      await skopeo.push(kept, registry.reference('app:latest'));
      await registry.stop();
      expect(await ocikit('gc', registry.root, '--grace', '0')).toMatch(
        /^removed 1 manifest, 2 blobs .* of 1 repository$/m,
      );
      expect(await ocikit('check', registry.root, '--grace', '0')).toContain('nothing is wrong');
      await registry.start();
      expect((await skopeo.pull(registry.reference('app:latest'))).files).toEqual(kept.files);
      const response = await registry.fetch(`app/manifests/${gone.digest}`);
      expect(response.status).toBe(404);
    },
  );
});
