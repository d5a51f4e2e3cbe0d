// The contract suite: each promise of the `Registry` interface as a case for any test runner.
export * from './describe-registry.ts';
export * from './registry-contract.ts';
