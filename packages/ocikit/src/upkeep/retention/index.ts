// Retention: rules for the tags and manifests that stay.
export { applyRetention, carryOutRetention } from './apply-retention.ts';
export type { ApplyRetentionOptions, RetentionEvent, RetentionReport } from './apply-retention.ts';
export { planRetention } from './plan-retention.ts';
export type { PlanRetentionOptions, RetentionStep } from './plan-retention.ts';
export type { RetentionFailure } from './repository-failures.ts';
export type { RetentionRules, TagRule, UntaggedRule } from './retention-rules.ts';
