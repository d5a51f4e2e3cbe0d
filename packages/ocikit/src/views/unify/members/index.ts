// The members of a unified registry, asking several of them, and their errors.
export { Caller, withCaller } from './caller.ts';
export { isUnknown, leastTemporary, mostTelling, PartialWriteError, TagConflictError } from './errors.ts';
export { findStored } from './find-stored.ts';
export { askAll, failuresIn, valuesIn } from './member.ts';
export type { MemberAnswer, MemberFailure, Member } from './member.ts';
export { assertStored, outcomeOf } from './outcome.ts';
export { RepositoryQueue } from './repository-queue.ts';
