import type { Socket } from 'node:net';

import { BufferedBody } from '../../shared/index.ts';
import type { Exchange, Reply } from '../../shared/index.ts';
import { sendReply, SocketExchange } from '../socket/index.ts';
import type { SendOptions } from '../socket/index.ts';

import { FastRequestReader } from './request-reader.ts';
import type { FastRequest } from './request-reader.ts';
import { keepAlive, noteTime, FastResponse } from './response.ts';

/** A request with more is handed over. */
const largestBody = 64 * 1024;
/** Milliseconds within which all of a request has to be there, or somebody else waits for the rest. */
const patience = 100;
/**
 * Milliseconds within which a client that has ended its side has to get its answer, or it is taken for one that has left:
 * the two look the same, and for nobody an answer is not worked out.
 */
const patienceAfterEnd = 1000;

export interface FastConnectionsOptions extends Omit<SendOptions, 'exchange'> {
  handle: (exchange: Exchange) => Promise<Reply>;
  /** Whether a connection ends with the answer that is sent now. */
  isLastAnswer: () => boolean;
}

/** Takes a connection over: what has come and was not answered can be read from it. */
export type HandOver = (socket: Socket) => void;

/**
 * Connections whose requests are answered without `node:http`, as long as they are plain and small: making its objects takes
 * longer than answering those does. With the first other request a connection is handed over, for good.
 */
export class FastConnections {
  readonly options: FastConnectionsOptions;
  readonly #open = new Set<FastConnection>();
  /** Sends what is ready. */
  #ready: (() => void)[] = [];

  constructor(options: FastConnectionsOptions) {
    this.options = options;
  }

  /** @param largestHead bytes that a request's head may have */
  take(socket: Socket, largestHead: number, handOver: HandOver): void {
    const connection = new FastConnection(this, socket, largestHead, () => {
      this.#open.delete(connection);
      handOver(socket);
    });
    this.#open.add(connection);
    socket.once('close', () => this.#open.delete(connection));
  }

  /**
   * Runs it when all requests that have come so far were begun. What is ready then is sent together: a client that sleeps is woken
   * by the first answer, and waking it takes longer than answering.
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

  /** Ends those that wait for a request; the others end with their answer. */
  endIdle(): void {
    for (const connection of this.#open) connection.endIfIdle();
  }
}

class FastConnection {
  readonly #all: FastConnections;
  readonly #socket: Socket;
  readonly #requests: FastRequestReader;
  readonly #handOver: () => void;
  /** What has come and belongs to no request that is being answered. */
  #received: Buffer | undefined;
  #state: 'waiting' | 'working' | 'sending' | 'draining' | 'handed over' = 'waiting';
  #isPaused = false;
  /** The client sends no more, but may still read. */
  #hasEnded = false;
  /** Runs while a part of a request is there. */
  #waitingForRest: ReturnType<typeof setTimeout> | undefined;
  /** Runs while an answer is worked out for a client that has ended its side. */
  #workingAfterEnd: ReturnType<typeof setTimeout> | undefined;

  constructor(all: FastConnections, socket: Socket, largestHead: number, handOver: () => void) {
    this.#all = all;
    this.#socket = socket;
    this.#requests = new FastRequestReader(largestHead);
    this.#handOver = handOver;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.setTimeout(keepAlive * 1000, this.#onTimeout);
  }

  readonly #onData = (bytes: Buffer): void => {
    this.#received = this.#received === undefined ? bytes : Buffer.concat([this.#received, bytes]);
    if (this.#state === 'waiting') this.#begin();
    else this.#pause();
  };

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    const socket = this.#socket;
    if (this.#state === 'waiting') socket.end();
    else if (this.#state === 'working') this.#workingAfterEnd = setTimeout(() => socket.destroy(), patienceAfterEnd);
  };

  /** Nothing has come or gone for a while. What still waits to be sent would wait for ever. */
  readonly #onTimeout = (): void => {
    if (this.#state === 'waiting' || this.#state === 'draining') this.#socket.destroy();
  };

  /** @returns whether there is nothing to begin, as far as is known */
  #begin(): boolean {
    const received = this.#received;
    if (received === undefined) return true;
    const request = this.#requests.read(received);
    if (request === null || (request !== undefined && request.length > largestBody)) {
      this.#leave();
      return false;
    }
    const end = request === undefined ? Infinity : request.headSize + request.length;
    if (request === undefined || received.length < end) {
      this.#waitingForRest ??= setTimeout(() => this.#leave(), patience);
      return true;
    }
    clearTimeout(this.#waitingForRest);
    this.#waitingForRest = undefined;
    this.#state = 'working';
    this.#received = received.length === end ? undefined : received.subarray(end);
    if (this.#received !== undefined) this.#pause();
    this.#answer(request, request.length === 0 ? undefined : received.subarray(request.headSize, end));
    return false;
  }

  /** What comes meanwhile waits with the client. */
  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #answer(request: FastRequest, body: Uint8Array | undefined): void {
    const { options } = this.#all;
    const { method, target, fields } = request;
    const exchange = new SocketExchange(this.#socket, {
      method,
      target,
      header: (name) => fields.get(name),
      body: body === undefined ? undefined : new BufferedBody(body),
    });
    const failed = (error: unknown): void => {
      // The answer has begun, so nothing can be said any more: cut off, it cannot be taken for a whole one.
      this.#socket.destroy();
      options.onBodyError(error, exchange);
    };
    options
      .handle(exchange)
      .then((reply) => this.#all.whenAllBegan(() => this.#send(reply, exchange, failed)))
      .catch(failed);
  }

  #send(reply: Reply, exchange: Exchange, failed: (error: unknown) => void): void {
    const { onBodyError, writeTimeout, isLastAnswer } = this.#all.options;
    this.#state = 'sending';
    clearTimeout(this.#workingAfterEnd);
    const answer = new FastResponse(this.#socket, exchange.method, isLastAnswer());
    try {
      const sending = sendReply(answer, this.#socket, reply, { exchange, onBodyError, writeTimeout });
      if (sending === undefined) this.#sent(answer);
      else sending.then(() => this.#sent(answer)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #sent({ isLast }: FastResponse): void {
    if (isLast) this.#expectDrain();
    else this.#goOn();
  }

  #goOn(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.writableNeedDrain) {
      this.#afterDrain();
      return;
    }
    this.#state = 'waiting';
    if (!this.#begin()) return;
    if (this.#hasEnded) {
      socket.end();
      return;
    }
    if (this.#isPaused) {
      this.#isPaused = false;
      socket.resume();
    }
    // The answer went on when the others that waited were ended.
    if (this.#all.options.isLastAnswer()) this.endIfIdle();
  }

  /** Who sends requests and reads no answers has to wait. Who takes a little now and then is not left. */
  #afterDrain(): void {
    const socket = this.#socket;
    this.#expectDrain();
    socket.once('drain', () => {
      socket.setTimeout(keepAlive * 1000);
      this.#goOn();
    });
  }

  #expectDrain(): void {
    this.#state = 'draining';
    this.#socket.setTimeout(this.#all.options.writeTimeout);
  }

  #leave(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (this.#hasEnded) {
      // After the end nothing can be put back, and node:http gives no answer to who has ended its side.
      socket.destroySoon();
      return;
    }
    this.#state = 'handed over';
    clearTimeout(this.#waitingForRest);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', ignore);
    socket.setTimeout(0, this.#onTimeout);
    socket.pause();
    if (this.#received !== undefined) socket.unshift(this.#received);
    // Until the connection closes, its end is listened for here.
    this.#received = undefined;
    this.#handOver();
    socket.resume();
  }

  endIfIdle(): void {
    if (this.#state === 'waiting' && this.#received === undefined) this.#socket.destroySoon();
  }
}

function ignore(): void {
  // The connection closes by itself.
}
