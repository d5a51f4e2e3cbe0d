// Garbage collection.
export { collectGarbage } from './collect-garbage.ts';
export type { CollectGarbageOptions } from './collect-garbage.ts';
export type { GarbageEvent, GarbageKind, GarbageReport } from './garbage-report.ts';
