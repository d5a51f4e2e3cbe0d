// The contract of `Registry` against a registry of another project.
import type { Registry } from 'ocikit';
import { registryContract } from 'ocikit/testing';
import type { ContractTraits } from 'ocikit/testing';

import { describeDeviating } from '../../packages/ocikit/test/deviations.ts';
import type { DeviatingOptions } from '../../packages/ocikit/test/deviations.ts';

export interface ContractRun extends DeviatingOptions {
  readonly registry: () => Registry;
  readonly traits: ContractTraits;
}

/** Runs the contract against a registry of another project. */
export function describeContract(name: string, { registry, traits, ...options }: ContractRun): void {
  describeDeviating(name, registryContract({ create: async () => ({ registry: registry() }), traits }), options);
}
