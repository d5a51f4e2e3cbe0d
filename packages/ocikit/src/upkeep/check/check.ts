import { isRegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { cutOffBefore, maintained } from '../shared/index.ts';

import { checkRepository } from './check-repository.ts';
import type { CheckEvent, Finding } from './findings.ts';

export interface CheckOptions {
  /** Milliseconds for which what is not reached is no finding: it is being pushed, or will go by itself. Default: one hour. */
  gracePeriod?: number | undefined;
  /** The registry is sparse: an index may name manifests that are not there. Default: false. */
  sparse?: boolean | undefined;
  /** Contents that are read at a time. Default: 4. */
  concurrency?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Called synchronously; what it throws ends the check. */
  onEvent?: ((event: CheckEvent) => void) | undefined;
}

const defaultGracePeriod = 60 * 60 * 1000;

/**
 * Looks at everything that a registry has: whether all bytes have their digests, whether what manifests name is there,
 * whether a tag reaches it, and whether a repository has it. Changes nothing, and what it reads does not count as used.
 *
 * Findings come while it looks, repository by repository, in each of them first manifests and then blobs. What is pushed or deleted
 * meanwhile may be found or not. Memory grows with the digests of one repository, the largest.
 *
 * Rejects with UNSUPPORTED if the registry cannot be maintained, and with what its methods reject with.
 *
 * @example
 * for await (const { kind, repository, digest } of check(registry)) report(`${kind}: ${repository}@${digest}`);
 */
export async function* check(registry: Registry, options: CheckOptions = {}): AsyncGenerator<Finding, void, undefined> {
  const { gracePeriod = defaultGracePeriod, sparse = false, concurrency = 4 } = options;
  const { signal, onEvent = () => undefined } = options;
  if (!(gracePeriod >= 0)) throw new TypeError(`gracePeriod is ${gracePeriod}, and has to be 0 or more`);
  if (!(concurrency >= 1)) throw new TypeError(`concurrency is ${concurrency}, and has to be 1 or more`);
  signal?.throwIfAborted();
  const maintenance = maintained(registry);
  const settled = { registry, maintenance, gracePeriod, sparse, concurrency, signal, onEvent };
  for await (const repository of registry.repositories({ signal })) {
    onEvent({ type: 'repository', repository });
    try {
      yield* checkRepository(settled, repository);
    } catch (error) {
      // It is gone by now.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }
  const cutOff = cutOffBefore(gracePeriod);
  for await (const { digest, size, usedAt } of maintenance.orphans({ signal })) {
    if (usedAt.getTime() >= cutOff().getTime()) continue;
    const nothingKnown = { repository: undefined, content: undefined, neededBy: undefined, mediaType: undefined };
    yield { kind: 'orphaned', digest, size, ...nothingKnown };
  }
}
