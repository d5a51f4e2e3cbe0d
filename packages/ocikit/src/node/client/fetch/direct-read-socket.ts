import { connect } from 'node:net';
import type { NetConnectOpts, Socket } from 'node:net';

const bufferSize = 64 * 1024;

/** Is given what comes off a connection, past the HTTP parser. */
export interface DirectReceiver {
  /** Where the next bytes are to be read into. It is asked after each read. */
  nextBuffer(): Uint8Array;
  /** So many bytes have been read into a buffer. False: nothing more is to be read for now. */
  received(count: number, buffer: Uint8Array): boolean;
}

const receivers = new WeakMap<Socket, { receiver: DirectReceiver | undefined }>();

/**
 * A connection that reads into one buffer. Else each read takes 64 KiB of memory anew, and with large bodies collecting that takes
 * longer than reading. Node's HTTP parser, which listens at first, copies what it hands on.
 */
export function connectForDirectReads(address: NetConnectOpts & { host: string; port: number }): Socket {
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  const slot: { receiver: DirectReceiver | undefined } = { receiver: undefined };
  const socket: Socket = connect({
    ...address,
    noDelay: true,
    onread: {
      buffer: () => slot.receiver?.nextBuffer() ?? buffer,
      callback: (count, read) => {
        if (slot.receiver !== undefined) return slot.receiver.received(count, read);
        socket.emit('data', Buffer.from(read.buffer, read.byteOffset, count));
        return true;
      },
    },
  });
  receivers.set(socket, slot);
  return socket;
}

/** Whether what comes off this connection can be had past the HTTP parser. */
export function canReadDirectly(socket: Socket): boolean {
  const slot = receivers.get(socket);
  return slot !== undefined && slot.receiver === undefined;
}

/**
 * Has all given to `receiver` that is read from now on. The HTTP parser sees none of it, so no other answer can come this way.
 * Called while the parser is given bytes: the next buffer is asked for then.
 */
export function readDirectly(socket: Socket, receiver: DirectReceiver): void {
  const slot = receivers.get(socket);
  if (slot?.receiver !== undefined) throw new TypeError('the connection has been taken over');
  if (slot !== undefined) slot.receiver = receiver;
}
