// The place of a collection, so that the next one continues there if this one is killed.
import type { Maintenance } from '../../model/index.ts';
import { isRepository } from '../../model/index.ts';

/** Milliseconds between two writes. */
const interval = 500;
const orphansNext = 'orphans';
const after = 'after ';

/** The place of a collection among the repositories, in their order. */
export class Progress {
  readonly #bookmark: Maintenance['bookmark'];
  /** The collection begins after this repository; undefined: with the first one. */
  readonly start: string | undefined;
  /** True if the last collection was killed while it looked for orphans. */
  readonly isAtOrphans: boolean;
  /** For each repository that is not done: the one before it. The first one is the place of the collection. */
  readonly #running = new Map<string, string | undefined>();
  #last: string | undefined;
  #writtenAt = -Infinity;
  #written: string | undefined;

  private constructor(bookmark: Maintenance['bookmark'], text: string | undefined) {
    this.#bookmark = bookmark;
    const name = text?.startsWith(after) === true ? text.slice(after.length) : undefined;
    this.start = name !== undefined && isRepository(name) ? name : undefined;
    this.isAtOrphans = text === orphansNext;
    this.#last = this.start;
    this.#written = text;
  }

  /** Reads where the last collection stopped. A dry run begins at the first repository, and notes nothing. */
  static async of({ bookmark }: Maintenance, dryRun: boolean): Promise<Progress> {
    if (dryRun) return new Progress(undefined, undefined);
    return new Progress(bookmark, await bookmark?.read());
  }

  /** Notes that a repository is being collected. */
  begin(repository: string): void {
    this.#running.set(repository, this.#last);
    this.#last = repository;
  }

  /** Notes that a repository is done. */
  async end(repository: string): Promise<void> {
    this.#running.delete(repository);
    const now = performance.now();
    if (now - this.#writtenAt < interval) return;
    const [first] = this.#running.values();
    const place = this.#running.size === 0 ? this.#last : first;
    if (place === undefined) return;
    this.#writtenAt = now;
    await this.#write(after + place);
  }

  /** Notes that orphans come next, or repositories from the first one on. */
  async enter(part: 'orphans' | 'repositories'): Promise<void> {
    await this.#write(part === 'orphans' ? orphansNext : '');
  }

  /** Notes that the collection is complete: the next one begins at the first repository. */
  async finish(): Promise<void> {
    await this.#write('');
  }

  async #write(text: string): Promise<void> {
    if (this.#written === text || (text === '' && this.#written === undefined)) return;
    this.#written = text;
    await this.#bookmark?.write(text === '' ? undefined : text);
  }
}
