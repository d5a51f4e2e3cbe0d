import { randomFillSync } from 'node:crypto';

import { digestOf } from 'ocikit';
import type { Digest, Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import type { ClientOptions } from 'ocikit/client';
import { nodeFetch, openTransfers } from 'ocikit/node';
import { afterAll, describe, expect, test } from 'vitest';

import { presentClients } from './clients.ts';
import { useProxy } from './proxy.ts';
import type { Proxy } from './proxy.ts';
import { useCraneRegistry, useDistribution } from './registries.ts';
import { useScratch } from './scratch.ts';

// The client of ocikit, if the connection to another registry is cut in the middle of a large blob.

const size = 40_000_000;
const half = size / 2;

const registries = {
  'docker-registry': { use: () => useDistribution('docker-registry'), goesOn: false },
  distribution: { use: () => useDistribution('registry'), goesOn: true },
  crane: { use: () => useCraneRegistry('on disk'), goesOn: false },
};

const fetch = nodeFetch();
afterAll(() => fetch.close());

for (const name of presentClients(Object.keys(registries) as (keyof typeof registries)[])) {
  const { use, goesOn } = registries[name];
  describe(`the registry of ${name}`, () => {
    const registry = use();
    const proxy = useProxy(registry);
    const scratch = useScratch();
    const client = (options: Partial<ClientOptions> = {}): Registry =>
      createClient({ host: proxy.host, fetch, backOff: { first: 50 }, ...options });

    test('resumes a push that is cut in its middle', async () => {
      const { digest, bytes } = newBlob();
      const cut = proxy.cutAfter('upload', half);
      await client().pushBlob('pushed', { digest, size }, bytes);
      expect(cut.happened).toBe(true);
      expect(await client().resolveBlob('pushed', digest)).toMatchObject({ digest, size });
      // A registry that discards the cut upload gets the blob from its start.
      expect(proxy.passed('upload')).toBeLessThan((goesOn ? 1.2 : 1.7) * size);
    });

    test('resumes a pull that is cut in its middle from the next byte', async () => {
      const { digest, bytes } = newBlob();
      await client().pushBlob('pulled', { digest, size }, bytes);
      const before = proxy.passed('download');
      const cut = proxy.cutAfter('download', half);
      const content = await client({ parallel: false }).getBlob('pulled', digest);
      expect(digestOf(await content.bytes())).toBe(digest);
      expect(cut.happened).toBe(true);
      expect(proxy.passed('download') - before).toBeLessThan(1.1 * size);
    });

    test('accepts the rest of an abandoned push from another client', async () => {
      const { digest, bytes } = newBlob();
      const transfers = openTransfers(scratch.newPath());
      await leftAt(proxy, (signal) => client({ transfers }).pushBlob('left', { digest, size }, bytes, { signal }));
      const before = proxy.passed('upload');
      await client({ transfers }).pushBlob('left', { digest, size }, bytes);
      expect(proxy.passed('upload') - before).toBeLessThan((goesOn ? 0.7 : 1.1) * size);
      expect(await client().resolveBlob('left', digest)).toMatchObject({ digest, size });
    });

    test('accepts the rest of an abandoned push after its restart', async () => {
      const { digest, bytes } = newBlob();
      const transfers = openTransfers(scratch.newPath());
      await leftAt(proxy, (signal) => client({ transfers }).pushBlob('again', { digest, size }, bytes, { signal }));
      await registry.restart();
      await client({ transfers }).pushBlob('again', { digest, size }, bytes);
      expect(await client().resolveBlob('again', digest)).toMatchObject({ digest, size });
    });
  });
}

function newBlob(): { digest: Digest; bytes: Uint8Array } {
  const bytes = randomFillSync(new Uint8Array(size));
  return { digest: digestOf(bytes), bytes };
}

/** Ends a push after half of its bytes, as the end of its process does. */
async function leftAt(proxy: Proxy, push: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const pushing = push(controller.signal).catch((error: unknown) => error);
  await proxy.holdAfter('upload', half);
  controller.abort(new Error('left'));
  proxy.cut();
  expect(await pushing).toMatchObject({ message: 'left' });
}
