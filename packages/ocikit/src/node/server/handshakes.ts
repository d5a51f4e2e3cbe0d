// The connections of a TLS server before it knows them: their handshake is not over.
import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';

/** Keeps the connections of a TLS server whose handshake is not over, by the addresses of their two ends. */
export function connectionsInHandshake(server: HttpServer): ReadonlyMap<string, Socket> {
  const inHandshake = new Map<string, Socket>();
  server.prependListener('connection', (socket: Socket) => {
    const ends = endsOf(socket);
    inHandshake.set(ends, socket);
    socket.once('close', () => {
      if (inHandshake.get(ends) === socket) inHandshake.delete(ends);
    });
  });
  // The server gives another object for the same connection after the handshake.
  server.prependListener('secureConnection', (socket: Socket) => inHandshake.delete(endsOf(socket)));
  return inHandshake;
}

function endsOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
