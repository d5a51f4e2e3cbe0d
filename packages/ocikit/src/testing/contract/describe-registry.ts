// Hands the contract to a test runner.
import type { ContractTarget } from '../cases/index.ts';

import { registryContract } from './registry-contract.ts';

/** A test runner, such as `vitest`, `node:test`, `bun:test`, mocha or Deno's `@std/testing/bdd`. */
export interface TestRunner {
  /** Defines a group of tests. */
  describe: (name: string, define: () => void) => unknown;
  /** Defines a test, which fails if the promise rejects. */
  it: (name: string, run: () => Promise<void>) => unknown;
}

/**
 * Defines the contract as tests of a runner: every case that applies to a registry with these traits.
 * {@link registryContract} gives the other cases too, each with the reason.
 *
 * @param name the name of the outermost group
 *
 * @example
 * import { describe, it } from 'node:test';
 * import { describeRegistry } from 'ocikit/testing';
 *
 * describeRegistry({ describe, it }, 'my store', {
 *   create: async () => ({ registry: createMyStore() }),
 *   traits: { lacks: ['maintenance'] },
 * });
 */
export function describeRegistry(runner: TestRunner, name: string, target: ContractTarget): void {
  const { describe, it } = runner;
  describe(name, () => {
    for (const group of registryContract(target)) {
      const cases = group.cases.filter(({ leftOut }) => leftOut === undefined);
      if (cases.length === 0) continue;
      describe(group.name, () => {
        for (const { name: sentence, run } of cases) it(sentence, () => run());
      });
    }
  });
}
