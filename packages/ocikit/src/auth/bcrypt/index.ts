// bcrypt, by a native package or by the caller's implementation.
export type { Bcrypt } from './bcrypt.ts';
export * from './encoded-hash.ts';
