// The HTTP server of a registry: the exports of `ocikit/server`.
export type { FetchHandler, HandOver, NodeListener, TakeConnection } from './adapters/index.ts';
export { createServer } from './server.ts';
export type { Server } from './server.ts';
export { ConnectionCut } from './shared/index.ts';
export type { Exchange, Logger, Middleware, Next, Reply, ServerLimits, ServerOptions } from './shared/index.ts';
