import { beforeAll, describe, expect, test } from 'vitest';

import type { ImageClient } from './client.ts';
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

const registry = useRegistry();
const scratch = useScratch();
const clients: ImageClient[] = presentClients(['docker', 'podman', 'skopeo', 'crane', 'regctl']).map((name) =>
  use[name](),
);

for (const pusher of clients) {
  describe(`an image pushed with ${pusher.name}`, () => {
    let image: Image;
    let pushed: string;
    beforeAll(async () => {
      image = await makeImage(scratch.newPath(), {
        'hello.txt': `pushed with ${pusher.name}\n`,
        'etc/empty': '',
        'data.bin': { randomBytes: 1_000_000 },
      });
      pushed = await pusher.push(image, registry.reference(`by-${pusher.name}:1`));
    });

    for (const puller of clients) {
      test(`is pulled with ${puller.name} with the same digest and the same files`, async () => {
        const pulled = await puller.pull(registry.reference(`by-${pusher.name}:1`));
        expect(pulled).toEqual({ digest: pushed, files: image.files });
      });

      test(`is pulled with ${puller.name} by its digest`, async () => {
        const pulled = await puller.pull(registry.reference(`by-${pusher.name}@${pushed}`));
        expect(pulled).toEqual({ digest: pushed, files: image.files });
      });
    }
  });
}
