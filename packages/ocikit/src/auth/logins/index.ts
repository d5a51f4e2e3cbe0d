// The cost of logins, and their abuse: a guard around any check of passwords.
export type { Clock } from './clock.ts';
export * from './guard-logins.ts';
