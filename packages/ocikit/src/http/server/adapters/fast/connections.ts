// All connections of a server on the fast path, and the moment when their replies go out together.
import type { Socket } from 'node:net';

import { idleTimeout } from '../../shared/index.ts';
import type { NodeSocket } from '../../shared/index.ts';
import { receivingTurns } from '../socket/index.ts';

import { FastConnection } from './connection.ts';
import type { FastConnectionsOptions, SharedParts } from './connection.ts';
import { keepAliveFields, noteTime } from './response.ts';

/**
 * All connections of a server that are on the fast path. It answers small requests without `node:http`, whose objects
 * cost more than the answers. With the first request that it cannot answer, a connection is handed over for good.
 */
export class FastConnections implements SharedParts {
  /** The options that all connections share. */
  readonly options: FastConnectionsOptions;
  /** Milliseconds after which an idle connection is closed. */
  readonly idleTimeout: number;
  /** The last fields of a response after which the connection stays open. */
  readonly keepAliveFields: string;
  readonly #open = new Set<FastConnection>();
  /** Functions that send the replies which are ready. */
  #ready: (() => void)[] = [];

  constructor(options: FastConnectionsOptions) {
    this.options = options;
    this.idleTimeout = idleTimeout(options.keepAliveTimeout);
    this.keepAliveFields = keepAliveFields(options.keepAliveTimeout);
  }

  /**
   * Answers the requests of a connection until it is handed over.
   *
   * @param largestHead maximum bytes of a request's head
   */
  take(given: NodeSocket, largestHead: number, handOver: () => void): void {
    // Node gives the object that its types say.
    const socket = given as Socket;
    receivingTurns.noteConnection();
    const connection = new FastConnection(this, socket, largestHead, () => {
      this.#open.delete(connection);
      handOver();
    });
    this.#open.add(connection);
    socket.once('close', () => {
      this.#open.delete(connection);
      connection.closed();
    });
  }

  /**
   * Calls `send` once all requests that have arrived so far were started. Replies that are ready by then go out
   * together: the first one wakes a sleeping client, and a wake-up takes longer than an answer.
   */
  whenAllBegan(send: () => void): void {
    if (this.#ready.push(send) === 1) setImmediate(this.#sendReady);
  }

  readonly #sendReady = (): void => {
    const ready = this.#ready;
    this.#ready = [];
    noteTime();
    for (const send of ready) send();
  };

  /** Ends the connections that wait for a request. The other ones end with their answer. */
  endIdle(): void {
    for (const connection of this.#open) connection.endIfIdle();
  }
}
