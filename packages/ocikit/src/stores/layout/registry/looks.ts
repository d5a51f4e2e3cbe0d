// Looks at files that were made in this turn of the event loop.

/** A turn may go on for long, as in a walk through a whole repository: then the first looks are forgotten. */
const most = 1000;

/**
 * The results of looks at files, until the end of the turn: requests that arrived together share a look. Another
 * process can change a file between any look and the step after it, so one more look would not help. Changes by this
 * process have to be told.
 */
export class Looks<Found> {
  readonly #found = new Map<string, Found>();

  /** The result of a look in this turn. */
  get(path: string): Found | undefined {
    return this.#found.get(path);
  }

  /** Notes the result of a look. It is forgotten at the end of the turn. */
  note(path: string, found: Found): void {
    if (this.#found.size === 0) setImmediate(() => this.#found.clear());
    else if (this.#found.size >= most) this.#found.clear();
    this.#found.set(path, found);
  }

  /** Call it when this process has replaced or removed the file. */
  forget(path: string): void {
    // Nearly always empty, and then the path need not be hashed.
    if (this.#found.size > 0) this.#found.delete(path);
  }
}
