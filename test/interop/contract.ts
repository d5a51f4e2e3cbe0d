import type { Registry } from 'ocikit';
import { registryContract } from 'ocikit/testing';
import type { ContractTraits } from 'ocikit/testing';
import { describe, expect, test } from 'vitest';

/** What a registry does otherwise than the contract of `Registry` has it, and why. */
export interface Deviation {
  readonly because: string;
  /** All cases that it makes fail, as `group: case`, whole. */
  readonly cases: readonly (string | RegExp)[];
  /** What they fail with if they fail: where that depends on who comes first. */
  readonly atTimes?: RegExp;
}

export interface ContractRun {
  readonly registry: () => Registry;
  readonly traits: ContractTraits;
  readonly deviations: readonly Deviation[];
  /** The groups of cases that are run. Default: all. */
  readonly groups?: RegExp;
}

/**
 * The contract of `Registry` with a registry of others at the other end. What it does otherwise is expected to fail: a deviation
 * that has gone, and one that never was there, are failures.
 */
export function describeContract(name: string, run: ContractRun): void {
  const { registry, traits, deviations, groups = /./ } = run;
  const used = new Set<string | RegExp>();
  const deviationOf = (title: string): Deviation | undefined =>
    deviations.find(({ cases }) => {
      const found = cases.find((one) => (typeof one === 'string' ? one === title : one.test(title)));
      if (found !== undefined) used.add(found);
      return found !== undefined;
    });

  describe(name, () => {
    for (const { name: group, cases } of registryContract({ create: async () => ({ registry: registry() }), traits })) {
      // What the traits leave out has its reason there.
      const applying = cases.filter(({ leftOut }) => leftOut === undefined);
      const deviating = applying.map(({ name: sentence }) => deviationOf(`${group}: ${sentence}`));
      if (applying.length === 0 || !groups.test(group)) continue;
      describe(group, () => {
        for (const [i, each] of applying.entries()) {
          const { because, atTimes } = deviating[i] ?? {};
          if (because === undefined) test(each.name, each.run);
          else if (atTimes === undefined) {
            test(`not: ${each.name} (${because})`, () => expect(each.run()).rejects.toThrow());
          } else test(`not always: ${each.name} (${because})`, () => failsOnlyWith(atTimes, each.run()));
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
