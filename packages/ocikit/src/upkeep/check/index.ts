// Checking a registry, and repairing it from another one.
export { check } from './check.ts';
export type { CheckOptions } from './check.ts';
export { isDamage } from './findings.ts';
export type { CheckEvent, DamageFinding, Finding, FindingKind } from './findings.ts';
export { repair } from './repair.ts';
export type { Repair, RepairOptions } from './repair.ts';
