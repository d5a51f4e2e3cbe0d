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

// The client of ocikit with other registries, each under the applicable part of the contract of `Registry`.

/** Optional features that all of them lack. */
const traits: ContractTraits = {
  remote: true,
  lacks: ['maintenance', 'uploadRead', 'ifTag', 'anonymousMount', 'unknownNames'],
};

/** Groups of cases that make every call, for registries that differ only in other respects. */
const calls = /^(?:pushing|reading|uploading|resuming|mounting|tags|listing|referrers|deleting|many)/;

const fetch = nodeFetch();
afterAll(() => fetch.close());

const user = { username: 'alice', password: 'a secret: äöü' };
/** Output of `htpasswd -nbBC 4`. */
const htpasswd = 'alice:$2y$04$yUvHq7DiLEeOAWQNca.Y9OMnVsaH369a76rfbFRNT6W32KT9LdJkm\n';

/** One client for all cases, as in normal use. */
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

  test.each([undefined, { ...user, password: 'another' }])('refuses the credentials %j', async (credentials) => {
    const client = createClient({ host: registry.host, fetch, credentials: () => credentials });
    await expect(client.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  const client = clientOf(registry, { credentials: () => user });
  describeContract('the contract', { registry: client, traits, deviations: dockerRegistry, groups: calls });
});

describeWith(['docker-registry'], "Debian's docker-registry with a token server", () => {
  const tokens = useTokenServer({ [user.username]: user.password });
  const registry = useDistribution('docker-registry', () => ({ tokens: tokens.issuer() }));

  test('refuses a client without credentials', async () => {
    const client = createClient({ host: registry.host, fetch });
    await expect(client.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  const client = clientOf(registry, { credentials: () => user });
  describeContract('the contract', { registry: client, traits, deviations: dockerRegistry, groups: calls });

  test('asks for a token for each scope, not for each request', () => {
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
