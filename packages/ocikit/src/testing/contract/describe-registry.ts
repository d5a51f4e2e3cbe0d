import type { ContractSubject } from '../cases/index.ts';

import { registryContract } from './registry-contract.ts';

/** The part of a test runner that is needed: `vitest`, `node:test`, `bun:test`, mocha and Deno's `@std/testing/bdd` have it. */
export interface TestRunner {
  describe: (name: string, define: () => void) => unknown;
  it: (name: string, run: () => Promise<void>) => unknown;
}

/**
 * Runs the contract as tests of a runner: all that applies to a subject of these traits. What does not, and why, is what
 * {@link registryContract} tells.
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
export function describeRegistry(runner: TestRunner, name: string, subject: ContractSubject): void {
  const { describe, it } = runner;
  describe(name, () => {
    for (const group of registryContract(subject)) {
      const cases = group.cases.filter(({ leftOut }) => leftOut === undefined);
      if (cases.length === 0) continue;
      describe(group.name, () => {
        for (const { name: sentence, run } of cases) it(sentence, () => run());
      });
    }
  });
}
