// Checks that all content of a registry is there, intact and reachable.
import { isRegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { ageThreshold, assertAtLeast, requireMaintenance } from '../shared/index.ts';

import { checkRepository } from './check-repository.ts';
import type { CheckEvent, Finding } from './findings.ts';

/** Options of {@link check}. */
export interface CheckOptions {
  /**
   * Milliseconds. Unreachable content that was used within this time is no finding: it may belong to a running push.
   * Default: 3,600,000 (one hour).
   */
  gracePeriod?: number | undefined;
  /** The registry is sparse: an index may name manifests that the registry does not have. Default: false. */
  sparse?: boolean | undefined;
  /** How many manifests or blobs are read at a time. Default: 4. */
  concurrency?: number | undefined;
  /** Ends the check. */
  signal?: AbortSignal | undefined;
  /** Called synchronously at each step. An error that it throws ends the check. */
  onEvent?: ((event: CheckEvent) => void) | undefined;
}

const defaultGracePeriod = 60 * 60 * 1000;

/**
 * Checks all content of a registry: whether bytes match their digests, whether the content that manifests name is
 * there, whether a tag reaches it, and whether a repository has it. Changes nothing, and does not count as a use of
 * the content.
 *
 * Yields findings during the check, repository by repository: manifests first, then blobs, and orphans at the end.
 * Content that is pushed or deleted meanwhile may appear or not. Memory grows with the digests of the largest
 * repository.
 *
 * Rejects with UNSUPPORTED if the registry has no `Maintenance`, with TypeError if a number is below its least value,
 * and with any error of the registry.
 *
 * @example
 * for await (const { kind, repository, digest } of check(registry)) report(`${kind}: ${repository}@${digest}`);
 */
export async function* check(registry: Registry, options: CheckOptions = {}): AsyncGenerator<Finding, void, undefined> {
  const { gracePeriod = defaultGracePeriod, sparse = false, concurrency = 4 } = options;
  const { signal, onEvent = () => undefined } = options;
  assertAtLeast('gracePeriod', gracePeriod, 0);
  assertAtLeast('concurrency', concurrency, 1);
  signal?.throwIfAborted();
  const maintenance = requireMaintenance(registry);
  const settings = { registry, maintenance, gracePeriod, sparse, concurrency, signal, onEvent };
  for await (const repository of registry.repositories({ signal })) {
    onEvent({ type: 'repository', repository });
    try {
      yield* checkRepository(settings, repository);
    } catch (error) {
      // The repository is gone.
      if (!isRegistryError(error, 'NAME_UNKNOWN')) throw error;
    }
  }
  const threshold = ageThreshold(gracePeriod);
  for await (const { digest, size, usedAt } of maintenance.orphans({ signal })) {
    if (usedAt.getTime() >= threshold().getTime()) continue;
    const unknown = { repository: undefined, content: undefined, neededBy: undefined, mediaType: undefined };
    yield { kind: 'orphaned', digest, size, ...unknown };
  }
}
