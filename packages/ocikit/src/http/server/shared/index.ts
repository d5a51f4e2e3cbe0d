export { BufferedBody } from './buffered-body.ts';
export { ConnectionCut } from './exchange.ts';
export type { Exchange, Middleware, Next, Reply } from './exchange.ts';
export { resolveLimits } from './options.ts';
export type { Logger, ResolvedLimits, ServerLimits, ServerOptions } from './options.ts';
export * from './reply.ts';
