// Shared by the adapters on Node's sockets: the exchange of a socket, and sending replies.
export type { BodyMemory } from './body-memory.ts';
export { readDirectly } from './direct-reads.ts';
export type { DirectReader } from './direct-reads.ts';
export { RequestBody } from './request-body.ts';
export type { BodyStream } from './request-body.ts';
export { lingeringClose } from './lingering-close.ts';
export { queuedConnections, receivingTurns } from './receiving-turns.ts';
export type { Receiver } from './receiving-turns.ts';
export type { ResponseWriter } from './response-writer.ts';
export { sendReply } from './send-reply.ts';
export type { SendOptions } from './send-reply.ts';
export { SocketExchange } from './socket-exchange.ts';
