import { describe, expect, test } from 'vitest';

/** What a registry does otherwise than the contract of `Registry` has it, and why. */
export interface Deviation {
  readonly because: string;
  /** All cases that it makes fail, as `group: case`, whole. */
  readonly cases: readonly (string | RegExp)[];
  /** What they fail with if they fail: where that depends on who comes first. */
  readonly atTimes?: RegExp;
}

/** A group of the contract, of the sources or of the package that was built. */
interface ContractGroup {
  readonly name: string;
  readonly cases: readonly {
    readonly name: string;
    readonly leftOut: string | undefined;
    readonly run: () => Promise<void>;
  }[];
}

export interface DeviatingOptions {
  readonly deviations: readonly Deviation[];
  /** The groups of cases that are run. Default: all. */
  readonly groups?: RegExp | undefined;
}

/**
 * The contract as tests, in which what a registry does otherwise is expected to fail: a deviation that has gone, and one that
 * never was there, are failures.
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
      // What the traits leave out has its reason there.
      const applying = cases.filter(({ leftOut }) => leftOut === undefined);
      // Also of groups that are not run: their deviations are seen elsewhere.
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

    test('has no other deviations than are seen', () => {
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
