// The HTTP server of a registry: the exports of `ocikit/server`.
export * from './auth/index.ts';
export { createServer } from './server.ts';
export type { Server } from './server.ts';
export { ConnectionCut } from './shared/index.ts';
export type {
  ClientCertificate,
  Exchange,
  FetchHandler,
  HandOver,
  Logger,
  Middleware,
  Next,
  NodeListener,
  NodeRequest,
  NodeResponse,
  NodeSocket,
  Reply,
  ServerLimits,
  ServerOptions,
  TakeConnection,
  TlsConnection,
} from './shared/index.ts';
