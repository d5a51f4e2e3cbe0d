import type { Socket } from 'node:net';

import type { Exchange } from '../../shared/index.ts';

import { connectionSignal } from './connection-signal.ts';

interface SocketRequest {
  method: string;
  /** The path and the query, as they came. */
  target: string;
  header: Exchange['header'];
  body: AsyncIterable<Uint8Array> | undefined;
}

/** A request that came over a socket. */
export class SocketExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  // A property of its own, so that a middleware can hand on `{ ...exchange, path }`.
  readonly header: Exchange['header'];
  readonly body: AsyncIterable<Uint8Array> | undefined;
  readonly signal: AbortSignal;
  caller: string | undefined = undefined;

  constructor(socket: Socket, { method, target, header, body }: SocketRequest) {
    const mark = target.indexOf('?');
    this.method = method;
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    this.header = header;
    this.body = body;
    this.signal = connectionSignal(socket);
  }
}
