import type { Registry } from 'ocikit';
import { registryContract } from 'ocikit/testing';
import type { ContractTraits } from 'ocikit/testing';

import { describeDeviating } from '../../packages/ocikit/test/deviations.ts';
import type { DeviatingOptions } from '../../packages/ocikit/test/deviations.ts';

export interface ContractRun extends DeviatingOptions {
  readonly registry: () => Registry;
  readonly traits: ContractTraits;
}

/** The contract of `Registry` with a registry of others at the other end. */
export function describeContract(name: string, { registry, traits, ...options }: ContractRun): void {
  describeDeviating(name, registryContract({ create: async () => ({ registry: registry() }), traits }), options);
}
