// A test server of `ocikit/testing` for the time of a test.
import { onTestFinished } from 'vitest';

import { createTestServer } from '../src/testing/node.ts';
import type { TestServer, TestServerOptions } from '../src/testing/node.ts';

/** Starts a test server, for as long as the test runs. */
export async function startTestServer(options?: TestServerOptions): Promise<TestServer> {
  const server = await createTestServer(options);
  onTestFinished(() => server.close());
  return server;
}
