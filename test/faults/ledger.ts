// A ledger of operations: the values that names may have after a crash.

/** A value; undefined if the name does not exist. */
type Value = string | undefined;

interface Operation {
  value: Value;
  started: number;
  /** Infinity until the answer has been received. */
  ended: number;
}

/**
 * Records the requested and the acknowledged operations on names that many clients change at the same time. A name may
 * afterwards have any value that no acknowledged operation has certainly replaced.
 */
export class Ledger {
  readonly #operations = new Map<string, Operation[]>();
  #clock = 0;

  /** Records a requested operation. Call one of the returned functions once its answer has arrived. */
  begin(name: string, value: Value): { acknowledge(): void; refuse(): void } {
    const operation: Operation = { value, started: ++this.#clock, ended: Infinity };
    const list = this.#operations.get(name) ?? [{ value: undefined, started: 0, ended: 0 }];
    this.#operations.set(name, [...list, operation]);
    return {
      acknowledge: () => {
        operation.ended = ++this.#clock;
      },
      refuse: () => {
        const left = this.#operations.get(name) ?? [];
        this.#operations.set(
          name,
          left.filter((other) => other !== operation),
        );
      },
    };
  }

  names(): string[] {
    return [...this.#operations.keys()];
  }

  /** Returns the values that a name may have. */
  possible(name: string): Set<Value> {
    const operations = this.#operations.get(name) ?? [];
    const acknowledged = operations.filter(({ ended }) => ended !== Infinity);
    const possible = operations.filter(({ ended }) => !acknowledged.some((later) => later.started > ended));
    return new Set(possible.map(({ value }) => value));
  }

  /** Makes the found values the expected ones: no unanswered request runs any more. */
  settle(name: string, found: Value): void {
    const now = ++this.#clock;
    this.#operations.set(name, [{ value: found, started: now, ended: now }]);
  }
}
