export { Caller } from './caller.ts';
export { isUnknown, leastTemporary, mostTelling, PartialWriteError, TagConflictError } from './errors.ts';
export { findStored } from './find-stored.ts';
export { askAll, failuresIn, valuesIn } from './member.ts';
export type { Answer, Failure, Member } from './member.ts';
export { assertStored, outcomeOf } from './outcome.ts';
export { Turns } from './repository-queue.ts';
