// A client for tests of servers, written from the specification alone.
export { testClient } from './test-client.ts';
export type { TestClientOptions } from './test-client.ts';
