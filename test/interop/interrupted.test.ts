import { describe, expect, test } from 'vitest';

import { presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { usePodman } from './podman.ts';
import { useProxy } from './proxy.ts';
import { useRegctl } from './regctl.ts';
import { killAt } from './run.ts';
import { useScratch } from './scratch.ts';
import { useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const use = { docker: useDocker, podman: usePodman, skopeo: useSkopeo, crane: useCrane, regctl: useRegctl };
/** Clients that retry a push or resume a pull by themselves after a lost connection. Other clients fail. */
const pushesAgain = new Set(['docker', 'crane', 'regctl']);
const resumesPulls = new Set(['docker', 'regctl']);
const layerSize = 40_000_000;
const half = layerSize / 2;

const registry = useRegistry();
const proxy = useProxy(registry);
const scratch = useScratch();
/** Returns a new image: a client does not push a layer that the registry has. */
const newImage = (): Promise<Image> => makeImage(scratch.newPath(), { 'data.bin': { randomBytes: layerSize } });

for (const name of presentClients(Object.keys(use) as (keyof typeof use)[])) {
  describe(name, () => {
    const client = use[name]();

    test('pushes an image completely after it was killed in the middle of its layer', async () => {
      const image = await newImage();
      const reference = proxy.reference(`${name}-killed:1`);
      const [command, args, options] = await client.prepare(image, reference);
      await killAt(proxy.holdAfter('upload', half), command, args, options);
      proxy.cut();
      const digest = await client.push(image, reference);
      expect(await client.pull(reference)).toEqual({ digest, files: image.files });
    });

    if (pushesAgain.has(name)) {
      test('pushes an image although the connection is cut in the middle of its layer', async () => {
        const image = await newImage();
        const reference = proxy.reference(`${name}-cut:1`);
        const cut = proxy.cutAfter('upload', half);
        const digest = await client.push(image, reference);
        expect(cut.happened).toBe(true);
        expect(await client.pull(reference)).toEqual({ digest, files: image.files });
      });
    }

    if (resumesPulls.has(name)) {
      test('resumes a pull from the next byte when the connection is cut in the middle', async () => {
        const image = await newImage();
        const reference = proxy.reference(`${name}-pulled:1`);
        const digest = await client.push(image, reference);
        const before = proxy.passed('download');
        const cut = proxy.cutAfter('download', half);
        expect(await client.pull(reference)).toEqual({ digest, files: image.files });
        expect(cut.happened).toBe(true);
        expect(proxy.passed('download') - before).toBeLessThan(1.2 * layerSize);
      });
    }
  });
}
