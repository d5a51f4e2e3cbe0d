export * from './content.ts';
export * from './contract.ts';
export * from './faults.ts';
export * from './subject.ts';
export * from './token-server.ts';
