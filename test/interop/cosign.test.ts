import { join } from 'node:path';

import { collect } from 'ocikit';
import type { Descriptor, Digest } from 'ocikit';
import { createClient } from 'ocikit/client';
import { createMemoryRegistry } from 'ocikit/memory';
import { nodeFetch } from 'ocikit/node';
import { imageOf, pushContent, randomName } from 'ocikit/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { useClient } from './client.ts';
import type { Client } from './client.ts';
import { describeWith } from './clients.ts';
import { useServed } from './served.ts';

const bundleType = 'application/vnd.dev.sigstore.bundle.v0.3+json';

const fetch = nodeFetch();
afterAll(() => fetch.close());

/** cosign with its own key. It uses no transparency log, and no authority for certificates or time. */
function useCosign(): Client {
  const client = useClient('cosign', 'cosign', (directory) => {
    return { env: { COSIGN_PASSWORD: 'of a test', DOCKER_CONFIG: join(directory, 'docker') } };
  });
  beforeAll(async () => {
    await client.run('generate-key-pair');
  });
  return client;
}

const signing = ['sign', '--key', 'cosign.key', '--allow-http-registry', '--yes'];
const offline = ['--tlog-upload=false', '--use-signing-config=false'];
const verifying = ['verify', '--key', 'cosign.pub', '--allow-http-registry', '--insecure-ignore-tlog'];

for (const [name, options] of [
  ['a registry with the referrers API', {}],
  ['a registry without it', { disableReferrersApi: true }],
] as const) {
  describeWith(['cosign'], `cosign, and ${name}`, () => {
    const served = useServed(() => createMemoryRegistry(), options);
    const cosign = useCosign();

    /** An image without a signature. */
    const pushImage = async (): Promise<{ repository: string; reference: string; digest: Digest }> => {
      const repository = `signed/${randomName()}`;
      const client = createClient({ host: served.host, fetch });
      const { descriptor } = await pushContent(client, repository, imageOf(), { tags: ['v1'] });
      const { digest } = descriptor;
      return { repository, digest, reference: `${served.host}/${repository}@${digest}` };
    };
    const referrers = (repository: string, digest: Digest, artifactType?: string): Promise<Descriptor[]> =>
      collect(createClient({ host: served.host, fetch }).referrers(repository, digest, { artifactType }));

    test('a signature in a bundle is verified, and our client lists it as a referrer', async () => {
      const { repository, digest, reference } = await pushImage();
      await cosign.runToFailure(...verifying, reference);
      await cosign.run(...signing, ...offline, '--new-bundle-format=true', reference);
      const { stderr } = await cosign.run(...verifying, '--new-bundle-format=true', reference);
      expect(stderr).toContain('verified against the specified public key');
      const [signature, ...others] = await referrers(repository, digest, bundleType);
      expect(others).toEqual([]);
      expect(signature?.artifactType).toBe(bundleType);
      expect(await referrers(repository, digest, 'application/vnd.example')).toEqual([]);
      const { bytes } = await createClient({ host: served.host, fetch }).getManifest(
        repository,
        signature?.digest ?? digest,
      );
      expect(JSON.parse(new TextDecoder().decode(bytes))).toMatchObject({ subject: { digest } });
    });

    test('a signature under a tag is verified, and read by our client', async () => {
      const { repository, digest, reference } = await pushImage();
      await cosign.run(...signing, ...offline, '--new-bundle-format=false', reference);
      const { stderr } = await cosign.run(...verifying, '--new-bundle-format=false', reference);
      expect(stderr).toContain('verified against the specified public key');
      const client = createClient({ host: served.host, fetch });
      const tag = `${digest.replace(':', '-')}.sig`;
      expect(await collect(client.tags(repository))).toContain(tag);
      expect((await client.getTag(repository, tag)).descriptor.size).toBeGreaterThan(100);
    });

    test('two signatures of one image are two referrers', async () => {
      const { repository, digest, reference } = await pushImage();
      for (const by of ['one', 'two']) {
        await cosign.run(...signing, ...offline, '--new-bundle-format=true', '--annotations', `by=${by}`, reference);
      }
      expect(await referrers(repository, digest, bundleType)).toHaveLength(2);
    });

    test('a signature of another key is refused', async () => {
      const { reference } = await pushImage();
      await cosign.run(...signing, ...offline, reference);
      await cosign.run('generate-key-pair', '--output-key-prefix', 'other');
      const [, , , ...others] = verifying;
      const error = await cosign.runToFailure('verify', '--key', 'other.pub', ...others, reference);
      expect(error.stderr).toMatch(/signature|key/i);
    });

    test('an image that our client copies is still signed', async () => {
      const { repository, digest, reference } = await pushImage();
      await cosign.run(...signing, ...offline, reference);
      const target = `copied/${randomName()}`;
      const client = createClient({ host: served.host, fetch });
      for (const one of [digest, ...(await referrers(repository, digest)).map((each) => each.digest)]) {
        const { bytes, descriptor } = await client.getManifest(repository, one);
        const { config, layers } = JSON.parse(new TextDecoder().decode(bytes)) as Record<'config', Descriptor> &
          Record<'layers', Descriptor[]>;
        for (const blob of [config, ...layers]) {
          const content = await client.getBlob(repository, blob.digest);
          await client.pushBlob(target, blob, await content.bytes());
        }
        await client.pushManifest(target, bytes, descriptor.mediaType);
      }
      await cosign.run(...verifying, `${served.host}/${target}@${digest}`);
    });
  });
}
