import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';

import { listenOnFreePort } from './free-port.ts';

export interface CuttingProxy {
  /** `HOST:PORT` */
  readonly host: string;
  /** Bytes that came from the client. */
  readonly sent: number;
  /** How often a connection has been cut. */
  readonly cuts: number;
  close(): void;
}

/**
 * Stands between a client and a server, and cuts the connection whenever the client has sent so many bytes more in all.
 *
 * @param port of the server, on this machine
 * @param after bytes of the client's at which a connection is cut, in ascending order
 * @param how `end`: what has come arrives; `reset`: what is on its way is lost
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
    // A connection that is cut fails at its other end.
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
