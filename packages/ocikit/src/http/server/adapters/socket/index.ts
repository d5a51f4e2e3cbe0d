export type { ResponseWriter } from './response-writer.ts';
export { sendReply } from './send-reply.ts';
export type { SendOptions } from './send-reply.ts';
export { SocketExchange } from './socket-exchange.ts';
