// The contract suite for registries that deviate from it.
import { describe, expect, test } from 'vitest';

/** A difference between a registry and the contract of `Registry`. */
export interface Deviation {
  /** The reason, as the rest of a title. */
  readonly because: string;
  /** All cases that fail because of it, as `group: case`: the whole title, or a pattern. */
  readonly cases: readonly (string | RegExp)[];
  /** For cases that fail only in some runs: the message of their failures. */
  readonly atTimes?: RegExp;
}

/** A group of the contract. It may come from the sources or from the built package. */
interface ContractGroup {
  readonly name: string;
  readonly cases: readonly {
    readonly name: string;
    readonly leftOut: string | undefined;
    readonly run: () => Promise<void>;
  }[];
}

/** Options of {@link describeDeviating}. */
export interface DeviatingOptions {
  /** All deviations of the registry. */
  readonly deviations: readonly Deviation[];
  /** The groups of cases to run. Default: all. */
  readonly groups?: RegExp | undefined;
}

/**
 * Defines the contract as tests, in which the cases of a deviation are expected to fail. A deviation that the registry
 * does not have is a failure.
 */
export function describeDeviating(
  name: string,
  contract: readonly ContractGroup[],
  { deviations, groups = /./ }: DeviatingOptions,
): void {
  const used = new Set<string | RegExp>();
  const deviationOf = (title: string): Deviation | undefined =>
    deviations.find(({ cases }) => {
      const found = cases.find((one) => (typeof one === 'string' ? one === title : one.test(title)));
      if (found !== undefined) used.add(found);
      return found !== undefined;
    });

  describe(name, () => {
    for (const { name: group, cases } of contract) {
      // The traits give the reason for the other cases.
      const applying = cases.filter(({ leftOut }) => leftOut === undefined);
      // Looks at all groups, so that deviations in groups that are not run count as used.
      const deviating = applying.map(({ name: sentence }) => deviationOf(`${group}: ${sentence}`));
      if (applying.length === 0 || !groups.test(group)) continue;
      describe(group, () => {
        for (const [i, { name: sentence, run }] of applying.entries()) {
          const { because, atTimes } = deviating[i] ?? {};
          if (because === undefined) test(sentence, run);
          else if (atTimes === undefined) {
            test(`not: ${sentence} (${because})`, () => expect(run()).rejects.toThrow());
          } else test(`not always: ${sentence} (${because})`, () => failsOnlyWith(atTimes, run()));
        }
      });
    }

    test('has cases for each of its deviations', () => {
      const all = deviations.flatMap(({ cases }) => cases);
      expect(all.filter((one) => !used.has(one))).toEqual([]);
    });
  });
}

async function failsOnlyWith(reason: RegExp, run: Promise<void>): Promise<void> {
  const failure = await run.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure !== undefined) expect(failure).toMatchObject({ message: expect.stringMatching(reason) as unknown });
}
