// The scopes of the token protocol: what a client asks for, and what a token grants.
export * from './scope-text.ts';
