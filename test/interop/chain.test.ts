import { createClient } from 'ocikit/client';
import { nodeFetch } from 'ocikit/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { describeWith, presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage, sha256 } from './images.ts';
import type { Image } from './images.ts';
import { useDistribution } from './registries.ts';
import { useScratch } from './scratch.ts';
import { useServed } from './served.ts';
import { useSkopeo } from './skopeo.ts';

// Docker, crane and skopeo talk to the server of ocikit, and its registry is the client of ocikit on Debian's
// docker-registry.

const use = { docker: useDocker, skopeo: useSkopeo, crane: useCrane };

const fetch = nodeFetch();
afterAll(() => fetch.close());

describeWith(['docker-registry'], "our server, and behind it Debian's docker-registry", () => {
  const upstream = useDistribution('docker-registry');
  const proxy = useServed(() => createClient({ host: upstream.host, fetch }));
  const scratch = useScratch();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'data.bin': { randomBytes: 200_000_000 } });
  });

  for (const name of presentClients(['docker', 'skopeo', 'crane'])) {
    describe(`with ${name}`, () => {
      const client = use[name]();
      let digest: string;

      test('a pushed layer of 200 MB reaches the registry', async () => {
        digest = await client.push(image, `${proxy.host}/from/${name}:1`);
        const response = await globalThis.fetch(`http://${upstream.host}/v2/from/${name}/manifests/1`, {
          headers: {
            accept: 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json',
          },
        });
        const text = await response.text();
        expect(sha256(text)).toBe(digest);
        const { layers } = JSON.parse(text) as { layers: { size: number }[] };
        expect(layers[0]?.size).toBeGreaterThan(200_000_000);
      });

      test('the layer is pulled again', async () => {
        expect(await client.pull(`${proxy.host}/from/${name}:1`)).toEqual({ digest, files: image.files });
      });
    });
  }

  describeWith(['crane'], 'lists', () => {
    const crane = useCrane();
    test('the chain lists tags and repositories that were pushed to the registry itself', async () => {
      const small = await makeImage(scratch.newPath(), { 'hello.txt': 'to the registry itself\n' });
      for (const tag of ['1', '2', '3']) await crane.push(small, `${upstream.host}/direct/app:${tag}`);
      expect((await crane.run('ls', `${proxy.host}/direct/app`)).stdout).toBe('1\n2\n3\n');
      expect((await crane.run('catalog', proxy.host)).stdout).toContain('direct/app\n');
      expect((await crane.run('digest', `${proxy.host}/direct/app:2`)).stdout.trim()).toBe(small.digest);
    });
  });
});
