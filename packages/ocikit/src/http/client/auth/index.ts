export * from './authenticator.ts';
export * from './credentials.ts';
export * from './scope.ts';
