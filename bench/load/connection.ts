// A connection of the load generator, cheaper than `node:http`.
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

import { AnswerReader } from './answers.ts';
import type { Answer } from './answers.ts';

/**
 * A persistent connection to a registry, for one request at a time. `node:http` costs more time than the measured
 * servers; this class costs about 6 µs for a request.
 */
export class Connection {
  readonly #port: number;
  readonly #socket: Socket;
  readonly #reader: AnswerReader = new AnswerReader();
  #waiting: { resolve: (answer: Answer) => void; reject: (error: Error) => void; noBody: boolean } | undefined;
  #failure: Error | undefined;

  private constructor(port: number, secure: boolean) {
    this.#port = port;
    const options = {
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(65_536),
        callback: (length: number, buffer: Uint8Array) => {
          this.#read(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    };
    // The certificates of a benchmark are its own.
    this.#socket = secure ? connectSecurely({ ...options, rejectUnauthorized: false }) : connect(options);
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** @param secure true for TLS, with any certificate */
  static open(port: number, secure: boolean = false): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const connection = new Connection(port, secure);
      connection.#socket.once('error', reject);
      connection.#socket.once(secure ? 'secureConnect' : 'connect', () => {
        connection.#socket.off('error', reject);
        resolve(connection);
      });
    });
  }

  /**
   * @param requestLine for example `PUT /v2/app/manifests/1`
   * @param headers whole lines, each with its `\r\n`
   */
  send(requestLine: string, headers = '', body?: Uint8Array): Promise<Answer> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject, noBody: requestLine.startsWith('HEAD ') };
      this.#write(requestLine, headers, body?.length);
      if (body !== undefined) this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  /**
   * Sends a body of many pieces. A piece is asked for when there is room for it, so one buffer may serve all pieces.
   *
   * @param size bytes of the body; undefined if the pieces have the form of chunks already
   */
  async sendPieces(
    requestLine: string,
    headers: string,
    pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
    size: number | undefined,
  ): Promise<Answer> {
    const answered = new Promise<Answer>((resolve, reject) => {
      this.#waiting = { resolve, reject, noBody: false };
      this.#write(requestLine, headers, size);
      this.#socket.uncork();
    });
    // A refusal in the middle is noticed when the answer is read.
    answered.catch(() => undefined);
    for await (const piece of pieces) {
      if (this.#failure !== undefined) break;
      if (!this.#socket.write(piece)) await this.#drained();
    }
    return answered;
  }

  close(): void {
    this.#failure ??= new Error('the connection was closed here');
    this.#socket.destroy();
  }

  #write(requestLine: string, headers: string, length: number | undefined): void {
    const lengthLine = length === undefined ? '' : `Content-Length: ${length}\r\n`;
    this.#socket.cork();
    this.#socket.write(
      `${requestLine} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n${headers}${lengthLine}\r\n`,
      'latin1',
    );
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #read(piece: Buffer): void {
    const waiting = this.#waiting;
    try {
      if (waiting === undefined) throw new Error('the server sent an answer without a request');
      const answer = this.#reader.read(piece, waiting.noBody);
      if (answer === undefined) return;
      this.#waiting = undefined;
      // Copy the body: the buffer of the piece is overwritten before the caller gets to read the body.
      waiting.resolve({ ...answer, body: Buffer.from(answer.body) });
    } catch (error) {
      this.#fail(error as Error);
      this.#socket.destroy();
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.reject(this.#failure);
    this.#waiting = undefined;
  }
}
