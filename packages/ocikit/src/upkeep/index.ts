export { check } from './check.ts';
export type { CheckEvent, CheckOptions } from './check.ts';
export { collectGarbage } from './collect-garbage.ts';
export type { CollectGarbageOptions } from './collect-garbage.ts';
export { isDamage } from './findings.ts';
export type { Finding, FindingKind } from './findings.ts';
export type { GarbageEvent, GarbageKind, GarbageReport, Tally } from './garbage.ts';
export { repair } from './repair.ts';
export type { Repair, RepairOptions } from './repair.ts';
