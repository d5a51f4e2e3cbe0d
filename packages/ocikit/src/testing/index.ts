// `ocikit/testing` without the parts that need Node: content, the contract suite, faults and a token server.
export type {
  ContractCapability,
  ContractCase,
  ContractGroup,
  ContractInstance,
  ContractTarget,
  ContractTraits,
} from './cases/index.ts';
export * from './content/index.ts';
export * from './contract/index.ts';
export * from './faults/index.ts';
