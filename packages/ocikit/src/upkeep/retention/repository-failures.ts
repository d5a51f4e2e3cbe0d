// Collects the repositories of a retention run that fail, so that the run continues with the others.
import { Failures } from '../shared/index.ts';

/** A repository to which no rule, or not every rule, could be applied. */
export interface RetentionFailure {
  /** Its name. */
  repository: string;
  /** The error of the registry. */
  error: unknown;
}

/** The failures of one run. */
export class RepositoryFailures {
  readonly #failures: Failures<RetentionFailure>;
  readonly #isHandled: boolean;
  #first: RetentionFailure | undefined;

  constructor(signal: AbortSignal | undefined, onFailure: ((failure: RetentionFailure) => void) | undefined) {
    this.#failures = new Failures(signal, onFailure ?? (() => undefined));
    this.#isHandled = onFailure !== undefined;
  }

  /** @throws the error if it must end the run */
  add(repository: string, error: unknown): void {
    this.#failures.reasonOf(error);
    this.#first ??= { repository, error };
    this.#failures.tell({ repository, error });
  }

  /** @throws the first error if the caller has no callback for failures */
  finish(): void {
    if (this.#first !== undefined && !this.#isHandled) throw this.#first.error;
  }
}
