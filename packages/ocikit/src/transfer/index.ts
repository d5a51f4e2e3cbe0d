// Retry, back-off, slots and single flights, for whatever moves bytes. It knows no HTTP and no registry.
export { abortable } from './abortable.ts';
export { createRetry, signalAfter, sleep } from './retry.ts';
export type { Attempt, BackOff, BackOffPolicy, FailedAttempt, Retry, RetryOptions, RetryRules } from './retry.ts';
export { SingleFlight } from './single-flight.ts';
export { Slots } from './slots.ts';
export type { Release } from './slots.ts';
