// `ocikit/testing` on Node: everything in `index.ts`, and the test server with its certificates.
export * from './index.ts';
export * from './server/index.ts';
