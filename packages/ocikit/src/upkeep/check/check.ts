// Checks that all content of a registry is there, intact and reachable.
import { isRegistryError } from '../../model/index.ts';
import type { Maintenance, Registry } from '../../model/index.ts';

import { ageThreshold, assertAtLeast, Failures, requireMaintenance } from '../shared/index.ts';

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
 * A repository that cannot be read is a finding, and the check continues with the others.
 *
 * Rejects with UNSUPPORTED if the registry has no `Maintenance`, and with TypeError if a number is below its least
 * value.
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
  const failures = new Failures(signal, onEvent);
  const settings = { registry, maintenance, gracePeriod, sparse, concurrency, signal, onEvent: failures.tell };
  try {
    for await (const repository of registry.repositories({ signal })) {
      failures.tell({ type: 'repository', repository });
      try {
        yield* checkRepository(settings, repository);
      } catch (error) {
        // The repository is gone.
        if (isRegistryError(error, 'NAME_UNKNOWN')) continue;
        yield unreadable(repository, failures.reasonOf(error));
      }
    }
    for await (const problem of maintenance.problems?.({ signal }) ?? []) {
      yield unreadable(undefined, problem);
    }
    yield* orphansOf(maintenance, gracePeriod, signal);
  } catch (error) {
    // The repositories or orphans cannot be listed, as in a layout for all repositories whose index is damaged.
    yield unreadable(undefined, failures.reasonOf(error));
  }
}

async function* orphansOf(
  maintenance: Maintenance,
  gracePeriod: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Finding, void, undefined> {
  const threshold = ageThreshold(gracePeriod);
  for await (const { digest, size, usedAt } of maintenance.orphans({ signal })) {
    if (usedAt.getTime() >= threshold().getTime()) continue;
    yield { kind: 'orphaned', repository: undefined, digest, size, ...unknownContent };
  }
}

const unknownContent = { content: undefined, neededBy: undefined, mediaType: undefined };

function unreadable(repository: string | undefined, reason: string): Finding {
  return { kind: 'unreadable', repository, digest: undefined, reason, size: undefined, ...unknownContent };
}
