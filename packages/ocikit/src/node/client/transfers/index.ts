// Unfinished transfers, kept in a directory.
export { openTransfers } from './transfers.ts';
export type { TransfersOptions } from './transfers.ts';
