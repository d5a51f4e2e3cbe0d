// Keeping a registry in order: garbage collection, checks and repair, retention, and the history of tags.
export { check, isDamage, repair } from './check/index.ts';
export type {
  CheckEvent,
  CheckOptions,
  DamageFinding,
  Finding,
  FindingKind,
  Repair,
  RepairOptions,
} from './check/index.ts';
export { collectGarbage } from './gc/index.ts';
export type { CollectGarbageOptions, GarbageEvent, GarbageKind, GarbageReport } from './gc/index.ts';
export { asOf, tagAt, undoTag } from './history/index.ts';
export type { UndoneTag } from './history/index.ts';
export { applyRetention, carryOutRetention, planRetention } from './retention/index.ts';
export type {
  ApplyRetentionOptions,
  PlanRetentionOptions,
  RetentionEvent,
  RetentionFailure,
  RetentionReport,
  RetentionRules,
  RetentionStep,
  TagRule,
  UntaggedRule,
} from './retention/index.ts';
export type { Tally } from './shared/index.ts';
