// The exchange of a request that arrived on one of Node's sockets.
import type { Socket } from 'node:net';

import type { Exchange } from '../../shared/index.ts';

import { connectionSignal } from './connection-signal.ts';

interface SocketRequest {
  method: string;
  /** The path and the query, as the client sent them. */
  target: string;
  header: Exchange['header'];
  /** See {@link Exchange.authority}. */
  authority?: string | undefined;
  body: AsyncIterable<Uint8Array> | undefined;
}

/** A request that arrived on a socket. Its signal is that of the connection. */
export class SocketExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  // An own property, not a method: a middleware may pass on `{ ...exchange, path }`.
  readonly header: Exchange['header'];
  readonly authority: string | undefined;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  readonly address: Exchange['address'];
  readonly signal: AbortSignal;
  caller: string | undefined = undefined;

  constructor(socket: Socket, { method, target, header, authority, body }: SocketRequest) {
    const mark = target.indexOf('?');
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.header = header;
    this.authority = authority;
    this.body = body;
    this.address = body === undefined ? undefined : () => socket.remoteAddress;
    this.signal = connectionSignal(socket);
  }
}
