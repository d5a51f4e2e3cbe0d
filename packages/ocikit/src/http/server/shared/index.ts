// The ground floor of the server: the API, the adapters and middleware all use it.
export { BufferedBody } from './buffered-body.ts';
export { ByteBudget } from './byte-budget.ts';
export type { Collected, Held } from './byte-budget.ts';
export { ConnectionCut } from './exchange.ts';
export type { ClientCertificate, Exchange, Middleware, Next, Reply, TlsConnection } from './exchange.ts';
export { plainAddress } from './plain-address.ts';
export type {
  FetchHandler,
  HandOver,
  NodeListener,
  NodeRequest,
  NodeResponse,
  NodeSocket,
  TakeConnection,
} from './handlers.ts';
export { idleTimeout, resolveLimits } from './options.ts';
export type { Logger, ResolvedLimits, ServerLimits, ServerOptions } from './options.ts';
export {
  addEveryAnswer,
  everyAnswer,
  malformed,
  empty,
  errorReply,
  isContent,
  isServerFault,
  json,
  jsonText,
  redirect,
} from './reply.ts';
