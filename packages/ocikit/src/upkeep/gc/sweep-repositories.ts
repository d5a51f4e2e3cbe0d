// Sweeps all repositories of a garbage collection, several at a time.
import { isRegistryError } from '../../model/index.ts';

import type { Collection } from './collection.ts';
import { markRepository } from './sweep-repository.ts';
import type { RepositorySweep } from './sweep-repository.ts';

const mostAtOnce = 128;
/** No further repository is marked while the marked ones have more digests than this in memory. */
const mostDigests = 20_000;

/**
 * Marks one repository after another, and removes the garbage of several at a time: removing waits for the disk, and a
 * store on disk syncs the removals of all repositories together.
 */
export async function sweepRepositories(collection: Collection): Promise<void> {
  const { report, progress, onEvent } = collection;
  const sweeps = new RunningSweeps(collection);
  try {
    for await (const repository of repositoriesOf(collection)) {
      await sweeps.untilFree();
      onEvent({ type: 'repository', repository });
      report.repositories++;
      progress.begin(repository);
      const sweep = await orFailure(collection, repository, markRepository(collection, repository));
      if (sweep === undefined) await progress.end(repository);
      else sweeps.start(repository, sweep);
    }
  } finally {
    await sweeps.ended();
  }
  sweeps.throwFirst();
}

/** All repositories, from the place where the last collection stopped. */
async function* repositoriesOf({ registry, progress, signal }: Collection): AsyncGenerator<string, void, undefined> {
  const { start } = progress;
  if (start !== undefined) yield* registry.repositories({ startAfter: start, signal });
  for await (const repository of registry.repositories({ signal })) {
    if (start !== undefined && repository > start) return;
    yield repository;
  }
}

/** Undefined if the repository is gone, or if it failed: the failure is reported, and the collection continues. */
async function orFailure<T>(collection: Collection, repository: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (!isRegistryError(error, 'NAME_UNKNOWN')) collection.fail(repository, error);
    return undefined;
  }
}

/** The sweeps that are running, and the first error of all. */
class RunningSweeps {
  readonly #collection: Collection;
  readonly #running = new Set<Promise<void>>();
  readonly #errors: unknown[] = [];
  #digests = 0;

  constructor(collection: Collection) {
    this.#collection = collection;
  }

  start(repository: string, sweep: RepositorySweep): void {
    const { size } = sweep;
    this.#digests += size;
    const { progress } = this.#collection;
    const running = orFailure(this.#collection, repository, sweep.sweep())
      .then(() => progress.end(repository))
      .catch((error: unknown) => void this.#errors.push(error))
      .finally(() => {
        this.#digests -= size;
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  /** Resolves when another one may start. */
  async untilFree(): Promise<void> {
    while (this.#running.size >= mostAtOnce || this.#digests > mostDigests) await Promise.race(this.#running);
    this.throwFirst();
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  throwFirst(): void {
    if (this.#errors.length > 0) throw this.#errors[0];
  }
}
