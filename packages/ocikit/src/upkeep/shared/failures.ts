// Tells a repository that fails from reasons to end the whole run, so that one repository does not end upkeep for all.
import { isRegistryError } from '../../model/index.ts';

/** Decides which errors of a run concern one repository only. */
export class Failures<E> {
  readonly #signal: AbortSignal | undefined;
  readonly #onEvent: (event: E) => void;
  /** The error that the caller's callback has thrown. */
  #thrown: { error: unknown } | undefined;

  constructor(signal: AbortSignal | undefined, onEvent: (event: E) => void) {
    this.#signal = signal;
    this.#onEvent = onEvent;
  }

  /** Calls the caller's callback. */
  readonly tell = (event: E): void => {
    try {
      this.#onEvent(event);
    } catch (error) {
      this.#thrown = { error };
      throw error;
    }
  };

  /**
   * The message of an error that concerns one repository.
   *
   * @throws the error if it must end the run: the caller aborts, its callback has thrown, or a method is unsupported
   */
  reasonOf(error: unknown): string {
    this.#signal?.throwIfAborted();
    if (this.#thrown !== undefined || isRegistryError(error, 'UNSUPPORTED')) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}
