export { openTransfers } from './transfers.ts';
export type { TransfersOptions } from './transfers.ts';
