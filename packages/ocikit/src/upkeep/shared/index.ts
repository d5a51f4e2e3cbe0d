// The small parts that all of upkeep uses.
export { ageThreshold } from './age-threshold.ts';
export { assertAtLeast } from './assert-at-least.ts';
export { Failures } from './failures.ts';
export { subjectOfTag } from './attached-tags.ts';
export type { TagSubject } from './attached-tags.ts';
export { listedManifest } from './listed-manifest.ts';
export { mapAhead } from './map-ahead.ts';
export { Pace } from './pace.ts';
export { removeManifest } from './remove-manifest.ts';
export { requireMaintenance, requireHistory } from './required.ts';
export { addToTally, emptyTally } from './tally.ts';
export type { Tally } from './tally.ts';
