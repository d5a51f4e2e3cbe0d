import { createClient } from 'ocikit/client';
import type { ClientOptions } from 'ocikit/client';
import type { ContractTraits } from 'ocikit/testing';
import { nodeFetch } from 'ocikit/node';
import { afterAll, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { describeContract } from './contract.ts';
import { craneRegistry, craneRegistryOnDisk, distributionV3, dockerRegistry } from './deviations.ts';
import { useCraneRegistry, useDistribution } from './registries.ts';
import type { OtherRegistry } from './registries.ts';
import { useTokenServer } from './token-issuer.ts';

// Our client, and registries of others: each under the contract of `Registry`, as far as it goes there.

/** What none of them has, and is not wrong without. */
const traits: ContractTraits = {
  remote: true,
  lacks: ['maintenance', 'uploadRead', 'ifTag', 'anonymousMount', 'unknownNames'],
};

/** Groups of cases that make every call, for registries that differ from others in something else. */
const calls = /^(?:pushing|reading|uploading|resuming|mounting|tags|listing|referrers|deleting|many)/;

const fetch = nodeFetch();
afterAll(() => fetch.close());

const user = { username: 'alice', password: 'a secret: äöü' };
/** Made by `htpasswd -nbBC 4`. */
const htpasswd = 'alice:$2y$04$yUvHq7DiLEeOAWQNca.Y9OMnVsaH369a76rfbFRNT6W32KT9LdJkm\n';

/** One client for all cases, as it is where a registry is used. */
function clientOf(
  registry: OtherRegistry,
  options: Partial<ClientOptions> = {},
): () => ReturnType<typeof createClient> {
  let client: ReturnType<typeof createClient> | undefined;
  return () => (client ??= createClient({ host: registry.host, fetch, backOff: { first: 10 }, ...options }));
}

describeWith(['docker-registry'], "Debian's docker-registry", () => {
  const registry = useDistribution('docker-registry');
  describeContract('the contract', { registry: clientOf(registry), traits, deviations: dockerRegistry });
});

describeWith(['docker-registry'], "Debian's docker-registry with htpasswd", () => {
  const registry = useDistribution('docker-registry', () => ({ htpasswd }));

  test.each([undefined, { ...user, password: 'another' }])('lets nobody in with %j', async (credentials) => {
    const client = createClient({ host: registry.host, fetch, credentials: () => credentials });
    await expect(client.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  const client = clientOf(registry, { credentials: () => user });
  describeContract('the contract', { registry: client, traits, deviations: dockerRegistry, groups: calls });
});

describeWith(['docker-registry'], "Debian's docker-registry with a token server", () => {
  const tokens = useTokenServer({ [user.username]: user.password });
  const registry = useDistribution('docker-registry', () => ({ tokens: tokens.issuer() }));

  test('lets nobody in without credentials', async () => {
    const client = createClient({ host: registry.host, fetch });
    await expect(client.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  const client = clientOf(registry, { credentials: () => user });
  describeContract('the contract', { registry: client, traits, deviations: dockerRegistry, groups: calls });

  test('asks for a token for each thing that is done, and not for each request', () => {
    expect(tokens.issued).toBeGreaterThan(100);
    expect(tokens.issued).toBeLessThan(2000);
  });
});

describeWith(['distribution'], 'distribution v3', () => {
  const registry = useDistribution('registry');
  describeContract('the contract', { registry: clientOf(registry), traits, deviations: distributionV3 });
});

for (const [keeps, deviations, groups] of [
  ['in memory', craneRegistry, /./],
  ['on disk', craneRegistryOnDisk, calls],
] as const) {
  describeWith(['crane'], `crane registry serve, blobs ${keeps}`, () => {
    const registry = useCraneRegistry(keeps);
    describeContract('the contract', { registry: clientOf(registry), traits, deviations, groups });
  });
}
