// The small parts that all of upkeep uses.
export { ageThreshold } from './age-threshold.ts';
export { assertAtLeast } from './assert-at-least.ts';
export { mapAhead } from './map-ahead.ts';
export { requireMaintenance, requireHistory } from './required.ts';
export { addToTally, emptyTally } from './tally.ts';
export type { Tally } from './tally.ts';
