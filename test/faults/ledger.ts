/** Undefined: it is not there. */
type Value = string | undefined;

interface Operation {
  value: Value;
  started: number;
  /** Infinity as long as no answer has been received. */
  ended: number;
}

/**
 * What was asked for and what was acknowledged, of names that many may change at the same time. What may be found
 * afterwards is each value that no acknowledged operation has certainly replaced.
 */
export class Ledger {
  readonly #operations = new Map<string, Operation[]>();
  #clock = 0;

  /** An operation that is asked for now. The returned function is called when it has been acknowledged. */
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

  /** What may be there. */
  possible(name: string): Set<Value> {
    const operations = this.#operations.get(name) ?? [];
    const acknowledged = operations.filter(({ ended }) => ended !== Infinity);
    const possible = operations.filter(({ ended }) => !acknowledged.some((later) => later.started > ended));
    return new Set(possible.map(({ value }) => value));
  }

  /** From now on what was found is what there is: whoever was not answered is gone. */
  settle(name: string, found: Value): void {
    const now = ++this.#clock;
    this.#operations.set(name, [{ value: found, started: now, ended: now }]);
  }
}
