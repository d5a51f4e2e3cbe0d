// One connection on the fast path: requests in, responses out, without `node:http`.
import type { Socket } from 'node:net';

import { BufferedBody, malformed } from '../../shared/index.ts';
import type { ByteBudget, Exchange, Reply } from '../../shared/index.ts';
import {
  lingeringClose,
  queuedConnections,
  readDirectly,
  receivingTurns,
  RequestBody,
  sendReply,
  SocketExchange,
} from '../socket/index.ts';
import type { DirectReader, Receiver, SendOptions } from '../socket/index.ts';

import { ChunkDecoder } from './chunk-decoder.ts';
import { LengthDecoder } from './length-decoder.ts';
import { ReceivedStream } from './received-stream.ts';
import type { BodyDecoder } from './received-stream.ts';
import { FastRequestReader } from './request-reader.ts';
import type { FastRequest } from './request-reader.ts';
import { FastResponse } from './response.ts';

/** Maximum bytes of a body that is received as a whole. */
const largestBody = 64 * 1024;
/** Bytes of an unread body after which the connection is used again. A longer one ends it. */
const mostSkipped = 1024 * 1024;
/** Milliseconds within which a request has to be complete. Otherwise its connection is handed over. */
const patience = 100;
/**
 * Milliseconds after which a running request is stopped if its client has ended its side of the connection. The client
 * may still read, or it may be gone: the two look the same.
 */
const patienceAfterEnd = 1000;

/** Options of all connections of a server. */
export interface FastConnectionsOptions extends SendOptions {
  /** Answers a request. It never rejects. */
  handle: (exchange: Exchange) => Promise<Reply>;
  /** The memory for received bytes. */
  budget: ByteBudget;
  /** Milliseconds for which a client may reuse an idle connection. */
  keepAliveTimeout: number;
}

/** The parts that all connections of a server share. */
export interface SharedParts {
  /** The options that all connections share. */
  readonly options: FastConnectionsOptions;
  /** Milliseconds after which an idle connection is closed. */
  readonly idleTimeout: number;
  /** The last fields of a response after which the connection stays open. */
  readonly keepAliveFields: string;
  /** Calls `send` once all requests that have arrived so far were started. */
  whenAllBegan(send: () => void): void;
}

/** One connection on the fast path. It answers requests until it is handed over, or ends. */
export class FastConnection implements DirectReader {
  readonly #all: SharedParts;
  readonly #socket: Socket;
  readonly #largestHead: number;
  readonly #requests: FastRequestReader;
  readonly #handOver: () => void;
  /** Received bytes behind the request that is being answered. */
  #received: Buffer | undefined;
  /** The body of the request that is being answered, until its last byte has arrived. */
  #body: ReceivedStream | undefined;
  /** True if the bytes of the connection come past Node's stream. */
  #readsDirectly = false;
  /** True while the rest of a refused body is received, and the connection ends after it. */
  #isDiscarding = false;
  /** Runs while the rest of a refused body is received, and the connection is used again after it. */
  #skipping: ReturnType<typeof setTimeout> | undefined;
  #state: 'waiting' | 'working' | 'sending' | 'draining' | 'queued' | 'handed over' = 'waiting';
  /** The place of this connection among those that wait to send a large body. */
  #receiver: Receiver | undefined;
  #goOn: (() => void) | undefined;
  /** True once `node:http` has the connection. */
  #isGone = false;
  #isPaused = false;
  /** True once the client has ended its side. It may still read. */
  #hasEnded = false;
  /** Runs while a request is incomplete. */
  #waitingForRest: ReturnType<typeof setTimeout> | undefined;
  /** Runs while the request of a client is answered that has ended its side. */
  #workingAfterEnd: ReturnType<typeof setTimeout> | undefined;

  /**
   * @param all the parts that all connections share
   * @param largestHead maximum bytes of a request's head
   * @param handOver gives the connection to `node:http`
   */
  constructor(all: SharedParts, socket: Socket, largestHead: number, handOver: () => void) {
    this.#all = all;
    this.#socket = socket;
    this.#largestHead = largestHead;
    this.#requests = new FastRequestReader(largestHead);
    this.#handOver = handOver;
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', ignore);
    socket.setTimeout(all.idleTimeout, this.#onTimeout);
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#body !== undefined) {
      this.#feed(this.#body, bytes);
      return;
    }
    this.#received = this.#received === undefined ? bytes : Buffer.concat([this.#received, bytes]);
    if (this.#state === 'waiting') this.#begin();
    else if (this.#state !== 'handed over') this.#pause();
  };

  /** Memory for the next bytes, if the connection is read directly. */
  room(): Uint8Array | undefined {
    return this.#body?.room();
  }

  /** Takes bytes that were read directly. */
  received(bytes: Buffer): void {
    if (this.#isGone) this.#socket.emit('data', bytes);
    else this.#onData(bytes);
  }

  readonly #onEnd = (): void => {
    this.#hasEnded = true;
    const socket = this.#socket;
    if (this.#state === 'waiting') socket.end();
    else if (this.#state === 'draining' && this.#body !== undefined) socket.destroySoon();
    else if (this.#state !== 'working') return;
    // The rest of the body cannot come any more.
    else if (this.#body !== undefined) socket.destroy();
    else this.#workingAfterEnd = setTimeout(() => socket.destroy(), patienceAfterEnd);
  };

  /** Ends a connection on which nothing has moved: an answer that still waits would wait for ever. */
  readonly #onTimeout = (): void => {
    if (this.#state === 'waiting' || this.#state === 'draining') this.#socket.destroy();
  };

  /**
   * Starts the next request, if it is complete.
   *
   * @returns true if the connection waits for more bytes
   */
  #begin(): boolean {
    const received = this.#received;
    if (received === undefined) return true;
    const request = this.#requests.read(received);
    if (request === null) {
      this.#handOff();
      return false;
    }
    if (request !== undefined && request.length > largestBody) {
      if (this.#beginDirectReads()) this.#answerLargeInTurn(request);
      else this.#handOffInTurn();
      return false;
    }
    const end = request === undefined ? Infinity : request.headSize + request.length;
    if (request === undefined || received.length < end) {
      this.#waitingForRest ??= setTimeout(() => this.#handOff(), patience);
      return true;
    }
    clearTimeout(this.#waitingForRest);
    this.#waitingForRest = undefined;
    this.#state = 'working';
    if (request.isChunked) {
      this.#answerInPieces(request, received.subarray(request.headSize), new ChunkDecoder(this.#largestHead), false);
      return false;
    }
    this.#received = received.length === end ? undefined : received.subarray(end);
    if (this.#received !== undefined) this.#pause();
    const body = request.length === 0 ? undefined : new BufferedBody(received.subarray(request.headSize, end));
    this.#answer(request, body);
    return false;
  }

  /**
   * Answers a request whose body has not arrived as a whole, or may not have.
   *
   * @param received the first bytes of the body, and what follows it
   * @param isShort true if the connection is used again even if no handler reads the body
   */
  #answerInPieces(request: FastRequest, received: Buffer, decoder: BodyDecoder, isShort: boolean): void {
    const flow = { pause: () => this.#pause(), resume: () => this.#resume() };
    const body = new ReceivedStream(decoder, flow, this.#socket);
    body.isShort = isShort;
    this.#received = undefined;
    this.#body = body;
    this.#feed(body, received);
    if (this.#hasEnded && !body.isComplete && !body.destroyed) {
      // The rest of the body cannot come any more. Earlier answers may still be on their way.
      this.#expectDrain();
      this.#socket.destroySoon();
      return;
    }
    if (!body.isComplete) {
      body.readsDirectly = this.#beginDirectReads();
      this.#answer(request, new RequestBody(body, this.#all.options.budget));
    } else this.#answer(request, body.content.length === 0 ? undefined : new BufferedBody(body.content));
  }

  /**
   * Reads a TLS connection directly from now on. Each record would become memory of its own otherwise, and be copied
   * twice.
   *
   * @returns false if that is not possible, or not worth it
   */
  #beginDirectReads(): boolean {
    if (!this.#readsDirectly && 'encrypted' in this.#socket) this.#readsDirectly = readDirectly(this.#socket, this);
    return this.#readsDirectly;
  }

  #feed(body: ReceivedStream, bytes: Buffer): void {
    body.feed(bytes);
    if (!body.isComplete) return;
    this.#body = undefined;
    if (this.#isDiscarding) {
      this.#socket.destroySoon();
      return;
    }
    const { rest } = body;
    // The memory of the body may be used again.
    this.#received = rest === undefined || !this.#readsDirectly ? rest : Buffer.from(rest);
    if (this.#received !== undefined) this.#pause();
    if (this.#skipping === undefined) return;
    clearTimeout(this.#skipping);
    this.#skipping = undefined;
    this.#next();
  }

  /** Stops reading: later requests wait at the client. */
  #pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  #answer(request: FastRequest, body: Exchange['body']): void {
    const { options } = this.#all;
    const { method, target, fields } = request;
    const exchange = new SocketExchange(this.#socket, {
      method,
      target,
      header: (name) => fields.get(name),
      body,
    });
    const failed = (error: unknown): void => {
      // The head is out, so the error cannot be answered. Cut the answer off: the client must not take it for complete.
      this.#socket.destroy();
      options.onBodyError(error, exchange);
    };
    options
      .handle(exchange)
      .then((reply) => this.#all.whenAllBegan(() => this.#send(reply, exchange, request.isLast, failed)))
      .catch(failed);
  }

  #send(reply: Reply, exchange: Exchange, isLastRequest: boolean, failed: (error: unknown) => void): void {
    const { options } = this.#all;
    this.#state = 'sending';
    clearTimeout(this.#workingAfterEnd);
    const isLast = isLastRequest || options.isLastAnswer();
    const answer = new FastResponse(this.#socket, exchange.method, isLast, this.#all.keepAliveFields);
    if (this.#body !== undefined && (isLast || reply.status === 408 || !this.#body.isShort)) {
      answer.isLast = answer.isEarly = true;
    }
    try {
      const sending = sendReply(answer, this.#socket, exchange, this.#trueReply(reply), options);
      if (sending === undefined) this.#sent(answer);
      else sending.then(() => this.#sent(answer)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** The reply, unless it accepts a request whose body turned out to be malformed. */
  #trueReply(reply: Reply): Reply {
    const error = this.#body?.errored ?? null;
    return error === null || reply.status >= 400 ? reply : malformed(error.message);
  }

  #sent({ isLast, isEarly }: FastResponse): void {
    // The handler may have left the body unread.
    if (this.#receiver !== undefined) receivingTurns.leave(this.#receiver);
    if (!isLast) {
      if (this.#body === undefined) this.#next();
      else this.#skipRest(this.#body);
      return;
    }
    this.#expectDrain();
    if (isEarly) this.#discardRest();
  }

  /** Receives the short rest of a body that no handler has read, and uses the connection again. */
  #skipRest(body: ReceivedStream): void {
    this.#state = 'draining';
    body.discard();
    this.#skipping = setTimeout(() => this.#socket.destroy(), this.#all.options.writeTimeout);
    this.#skipping.unref();
    this.#resume();
  }

  /** Receives the rest of a refused body: the system would reset the connection, and the answer would be lost. */
  #discardRest(): void {
    if (this.#body === undefined) {
      this.#socket.destroySoon();
      return;
    }
    this.#body.discard();
    this.#isDiscarding = true;
    lingeringClose(this.#socket);
    this.#resume();
  }

  #next(): void {
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
    this.#resume();
    // The server began to stop while this request was answered, so this connection was not idle then.
    if (this.#all.options.isLastAnswer()) this.endIfIdle();
  }

  /** Waits for a client that sends requests but reads no answers. A client that reads slowly is not cut off. */
  #afterDrain(): void {
    const socket = this.#socket;
    this.#expectDrain();
    socket.once('drain', () => {
      socket.setTimeout(this.#all.idleTimeout);
      this.#next();
    });
  }

  #expectDrain(): void {
    this.#state = 'draining';
    this.#socket.setTimeout(this.#all.options.writeTimeout);
  }

  /** Answers a request with a large body when the body may be received. */
  #answerLargeInTurn(request: FastRequest): void {
    this.#inTurn(() => {
      const received = this.#received?.subarray(request.headSize);
      if (received === undefined) return;
      this.#state = 'working';
      clearTimeout(this.#waitingForRest);
      this.#waitingForRest = undefined;
      const decoder = new LengthDecoder(request.length);
      this.#answerInPieces(request, received, decoder, request.length <= mostSkipped);
    });
  }

  /** Hands the connection over to `node:http` when its body may be received. So many bodies take little memory. */
  #handOffInTurn(): void {
    if (this.#inTurn(() => this.#handOff())) return;
    // The full buffer makes the socket stop at once, before it reads another piece.
    if (this.#received !== undefined) this.#socket.unshift(this.#received);
    this.#received = undefined;
  }

  /**
   * Calls a function when the body of the next request may be received. So many bodies take little memory.
   *
   * @returns false if the body has to wait
   */
  #inTurn(go: () => void): boolean {
    this.#receiver ??= { pause: ignore, resume: () => this.#goOn?.() };
    queuedConnections.set(this.#socket, this.#receiver);
    if (receivingTurns.enter(this.#receiver)) {
      go();
      return true;
    }
    this.#goOn = () => {
      this.#goOn = undefined;
      if (this.#state === 'queued') go();
    };
    this.#state = 'queued';
    clearTimeout(this.#waitingForRest);
    if (!this.#isPaused) this.#pause();
    return false;
  }

  /**
   * Hands the connection over to `node:http`.
   *
   * It does so only when the socket flows and has asked its handle for more. Otherwise the socket starts the handle
   * later, even if `node:http` has paused it by then. Then an unread body would fill the memory, whatever its size.
   */
  #handOff(): void {
    this.#state = 'handed over';
    clearTimeout(this.#waitingForRest);
    if (this.#isPaused) {
      this.#socket.once('resume', () => queueMicrotask(this.#finishHandOff));
      this.#socket.resume();
    } else {
      // Microtasks run after the tick in which the socket asks for more, and before the next bytes are read.
      queueMicrotask(this.#finishHandOff);
    }
  }

  readonly #finishHandOff = (): void => {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (this.#hasEnded) {
      // node:http does not answer a client that has ended its side.
      socket.destroySoon();
      return;
    }
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', ignore);
    socket.setTimeout(0, this.#onTimeout);
    const received = this.#received;
    // Release the bytes: the listener for `close` keeps this object until the connection closes.
    this.#received = undefined;
    this.#isGone = true;
    this.#handOver();
    if (received !== undefined) socket.unshift(received);
  };

  /** The connection has closed. */
  closed(): void {
    clearTimeout(this.#skipping);
    if (this.#receiver !== undefined) receivingTurns.leave(this.#receiver);
    this.#body?.close();
  }

  /** Ends the connection if it waits for a request. */
  endIfIdle(): void {
    if (this.#state === 'waiting' && this.#received === undefined) this.#socket.destroySoon();
  }
}

function ignore(): void {
  // The socket emits `close` next, which ends the connection.
}
