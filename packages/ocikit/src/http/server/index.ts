export type { FetchHandler, NodeListener } from './adapters/index.ts';
export * from './server.ts';
export { ConnectionCut } from './shared/index.ts';
export type { Exchange, Logger, Middleware, Next, Reply, ServerLimits, ServerOptions } from './shared/index.ts';
