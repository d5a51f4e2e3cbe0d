import { beforeAll, describe, expect, test } from 'vitest';

import { presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { usePodman } from './podman.ts';
import { useRegctl } from './regctl.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const use = { docker: useDocker, podman: usePodman, skopeo: useSkopeo, crane: useCrane, regctl: useRegctl };

describe('a layer of 300 MB', () => {
  const scratch = useScratch();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'data.bin': { randomBytes: 300_000_000 } });
  });

  for (const name of presentClients(['docker', 'podman', 'skopeo', 'crane', 'regctl'])) {
    describe(`with ${name}`, () => {
      const registry = useRegistry();
      const client = use[name]();
      let digest: string;

      test('is pushed', async () => {
        digest = await client.push(image, registry.reference('large:1'));
        const [layer, ...others] = (await registry.manifest('large', digest)).layers;
        expect(others).toEqual([]);
        expect(layer?.size).toBeGreaterThan(300_000_000);
      });

      test('is pulled', async () => {
        expect(await client.pull(registry.reference('large:1'))).toEqual({ digest, files: image.files });
      });
    });
  }
});
