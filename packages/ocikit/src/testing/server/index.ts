// A registry server for tests. It needs Node.
export * from './certificate.ts';
export * from './test-server.ts';
