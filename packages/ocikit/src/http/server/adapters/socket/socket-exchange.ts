// The exchange of a request that arrived on one of Node's sockets.
import type { Socket } from 'node:net';

import type { Identity } from '../../../../model/index.ts';
import type { Exchange, TlsConnection } from '../../shared/index.ts';

import { connectionOf } from './connection.ts';

interface SocketRequest {
  method: string;
  /** The path and the query, as the client sent them. */
  target: string;
  header: Exchange['header'];
  /** See {@link Exchange.authority}. */
  authority?: string | undefined;
  body: AsyncIterable<Uint8Array> | undefined;
}

/** A request that arrived on a socket. Its signal, address and certificate are those of the connection. */
export class SocketExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  // An own property, not a method: a middleware may pass on `{ ...exchange, path }`.
  readonly header: Exchange['header'];
  readonly authority: string | undefined;
  readonly body: AsyncIterable<Uint8Array> | undefined;
  readonly remoteAddress: string | undefined;
  readonly tls: TlsConnection | undefined;
  readonly signal: AbortSignal;
  identity: Identity | undefined = undefined;

  constructor(socket: Socket, { method, target, header, authority, body }: SocketRequest) {
    const mark = target.indexOf('?');
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.header = header;
    this.authority = authority;
    this.body = body;
    const { remoteAddress, tls, signal } = connectionOf(socket);
    this.remoteAddress = remoteAddress;
    this.tls = tls;
    this.signal = signal;
  }
}
