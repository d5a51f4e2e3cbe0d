import { connect } from 'node:net';
import type { NetConnectOpts, Socket } from 'node:net';

const bufferSize = 64 * 1024;

/** Is given what comes off a connection, past the HTTP parser. */
export interface Taker {
  /** Where the next bytes are to be read into. It is asked after each read. */
  nextBuffer(): Uint8Array;
  /** So many bytes have been read into a buffer. False: nothing more is to be read for now. */
  took(count: number, buffer: Uint8Array): boolean;
}

const takers = new WeakMap<Socket, { taker: Taker | undefined }>();

/**
 * A connection that reads into one buffer. Else each read takes 64 KiB of memory anew, and with large bodies collecting that takes
 * longer than reading. Node's HTTP parser, which listens at first, copies what it hands on.
 */
export function connectPlain(address: NetConnectOpts & { host: string; port: number }): Socket {
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  const taking: { taker: Taker | undefined } = { taker: undefined };
  const socket: Socket = connect({
    ...address,
    noDelay: true,
    onread: {
      buffer: () => taking.taker?.nextBuffer() ?? buffer,
      callback: (count, read) => {
        if (taking.taker !== undefined) return taking.taker.took(count, read);
        socket.emit('data', Buffer.from(read.buffer, read.byteOffset, count));
        return true;
      },
    },
  });
  takers.set(socket, taking);
  return socket;
}

/** Whether what comes off this connection can be had past the HTTP parser. */
export function canBeTakenOver(socket: Socket): boolean {
  const taking = takers.get(socket);
  return taking !== undefined && taking.taker === undefined;
}

/**
 * Has all given to `taker` that is read from now on. The HTTP parser sees none of it, so no other answer can come this way.
 * Called while the parser is given bytes: the next buffer is asked for then.
 */
export function takeOver(socket: Socket, taker: Taker): void {
  const taking = takers.get(socket);
  if (taking?.taker !== undefined) throw new TypeError('the connection has been taken over');
  if (taking !== undefined) taking.taker = taker;
}
