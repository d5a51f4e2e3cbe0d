// The parts that all requests of a connection share: its signal, and who is at its other end.
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

import { plainAddress } from '../../shared/index.ts';
import type { TlsConnection } from '../../shared/index.ts';

import { clientCertificateOf } from './client-certificate.ts';

/** The parts that all requests of a connection share. */
export interface Connection {
  /** Aborts when the connection closes. */
  readonly signal: AbortSignal;
  /** See {@link Exchange.remoteAddress}. */
  readonly remoteAddress: string | undefined;
  /** See {@link Exchange.tls}. */
  readonly tls: TlsConnection | undefined;
}

const connections = new WeakMap<Socket, Connection>();

/**
 * Returns what the requests of a connection share: making it takes longer than answering a small request. Sharing the
 * signal is safe, as pipelined requests end with their connection, and an answered request ignores the signal.
 */
export function connectionOf(socket: Socket): Connection {
  let connection = connections.get(socket);
  if (connection === undefined) {
    const { remoteAddress } = socket;
    connection = {
      signal: signalOf(socket),
      remoteAddress: remoteAddress === undefined ? undefined : plainAddress(remoteAddress),
      tls: isTls(socket) ? { certificate: clientCertificateOf(socket) } : undefined,
    };
    connections.set(socket, connection);
  }
  return connection;
}

function signalOf(socket: Socket): AbortSignal {
  const controller = new AbortController();
  // Every pipelined request may add its own listener for `close`: do not warn about their number.
  socket.setMaxListeners(0);
  const onClose = (): void => controller.abort(new Error('the client disconnected'));
  if (socket.destroyed) onClose();
  else socket.once('close', onClose);
  return controller.signal;
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket && socket.encrypted === true;
}
