// Faults and access control for tests, as middleware of the server.
export * from './faults.ts';
export * from './token-server.ts';
