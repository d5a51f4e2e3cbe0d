export { PlainConnections } from './connections.ts';
export type { HandOver, PlainConnectionsOptions } from './connections.ts';
