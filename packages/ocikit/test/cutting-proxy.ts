// A proxy that cuts connections at given bytes.
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

import { listenOnFreePort } from './free-port.ts';

/** A proxy that cuts connections. */
export interface CuttingProxy {
  /** `HOST:PORT` */
  readonly host: string;
  /** Bytes that the client has sent. */
  readonly sent: number;
  /** Connections that were cut. */
  readonly cuts: number;
  /** Stops the proxy, and ends its connections. */
  close(): void;
}

/**
 * Starts a proxy between a client and a server, which cuts the connection at given counts of bytes from the client.
 *
 * @param port the server's port on this machine
 * @param after the counts of all bytes from the client at which to cut, in ascending order
 * @param how `end`: the server gets the bytes before the cut; `reset`: bytes on their way are lost
 */
export async function cuttingProxy(
  port: number,
  after: readonly number[],
  how: 'end' | 'reset' = 'end',
): Promise<CuttingProxy> {
  const left = [...after];
  const sockets = new Set<Socket>();
  let sent = 0;
  let cuts = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    // A cut connection fails at its other end.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port });
    for (const socket of [client, upstream]) keep(socket);
    upstream.pipe(client);
    client.on('end', () => upstream.end());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.on('data', (piece: Uint8Array) => {
      sent += piece.length;
      if (!upstream.write(piece)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
      const [next] = left;
      if (next === undefined || sent < next) return;
      left.shift();
      cuts++;
      upstream.unpipe(client);
      if (how === 'end') upstream.end();
      else upstream.resetAndDestroy();
      client.resetAndDestroy();
    });
  });
  const host = `127.0.0.1:${await listenOnFreePort(server)}`;
  return {
    host,
    get sent() {
      return sent;
    },
    get cuts() {
      return cuts;
    },
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
