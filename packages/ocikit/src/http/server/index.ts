export * from './exchange.ts';
export type { FetchHandler } from './fetch.ts';
export type { NodeListener } from './node.ts';
export type { Logger, ServerLimits, ServerOptions } from './options.ts';
export * from './server.ts';
