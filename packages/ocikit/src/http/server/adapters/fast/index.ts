export { FastConnections } from './connections.ts';
export type { HandOver, FastConnectionsOptions } from './connections.ts';
