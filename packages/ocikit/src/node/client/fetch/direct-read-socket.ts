// TCP and TLS sockets whose bytes can be read past Node's HTTP parser, into a caller's buffers.
import { connect } from 'node:net';
import type { NetConnectOpts, OnReadOpts, Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import type { ConnectionOptions as TlsOptions, TLSSocket } from 'node:tls';

/** The size, in bytes, of the one buffer that a socket reads into while the HTTP parser listens. */
const bufferSize = 64 * 1024;

/** Receives the bytes of a socket in place of the HTTP parser. */
export interface DirectReceiver {
  /** Gives the buffer for the next read. Called after each read. */
  nextBuffer(): Uint8Array;
  /** Tells that `count` bytes were read into the buffer. Returns false to pause the socket. */
  received(count: number, buffer: Uint8Array): boolean;
}

interface Slot {
  receiver: DirectReceiver | undefined;
}

const receivers = new WeakMap<Socket, Slot>();

/**
 * Opens a TCP connection that reads into one buffer. By default Node allocates 64 KiB for each read, and for large
 * bodies collecting that memory takes longer than reading. The HTTP parser, which listens at first, copies the bytes
 * it delivers.
 */
export function connectForDirectReads(address: NetConnectOpts & { host: string; port: number }): Socket {
  const slot: Slot = { receiver: undefined };
  const socket: Socket = connect({ ...address, noDelay: true, onread: readsOf(slot, () => socket) });
  receivers.set(socket, slot);
  return socket;
}

/**
 * Opens a TLS connection that reads into one buffer, as {@link connectForDirectReads} does. Each read gives at most one
 * TLS record, which is 16 KiB.
 */
export function connectSecurelyForDirectReads(options: TlsOptions & { host: string; port: number }): TLSSocket {
  const slot: Slot = { receiver: undefined };
  // Node passes these on to the TCP socket below. Its types know no `onread` here.
  const all: TlsOptions & { onread: OnReadOpts; noDelay: boolean } = {
    ...options,
    noDelay: true,
    onread: readsOf(slot, () => socket),
  };
  const socket: TLSSocket = connectSecurely(all);
  receivers.set(socket, slot);
  return socket;
}

function readsOf(slot: Slot, socket: () => Socket): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(bufferSize);
  return {
    buffer: () => slot.receiver?.nextBuffer() ?? buffer,
    callback: (count, read) => {
      if (slot.receiver !== undefined) return slot.receiver.received(count, read);
      socket().emit('data', Buffer.from(read.buffer, read.byteOffset, count));
      return true;
    },
  };
}

/** Whether {@link readDirectly} works for this socket. */
export function canReadDirectly(socket: Socket): boolean {
  const slot = receivers.get(socket);
  return slot !== undefined && slot.receiver === undefined;
}

/**
 * Gives all bytes that are read from now on to `receiver`. The HTTP parser sees none of them, so the connection cannot
 * carry another response. Call it while the parser handles bytes: the receiver is asked for a buffer right after.
 */
export function readDirectly(socket: Socket, receiver: DirectReceiver): void {
  const slot = receivers.get(socket);
  if (slot?.receiver !== undefined) throw new TypeError('another receiver already reads from this connection');
  if (slot !== undefined) slot.receiver = receiver;
}
