export { cutOffBefore } from './age-threshold.ts';
export { mapAhead } from './map-ahead.ts';
export { maintained, remembered } from './required.ts';
export { add, noTally } from './tally.ts';
export type { Tally } from './tally.ts';
