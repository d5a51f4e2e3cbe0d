import type { Socket } from 'node:net';

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Says when a connection ends. It is one for all requests of a connection: making one for each would take longer than
 * answering a small request does. What a client sends in one go is cut off together anyway, and what has been answered
 * no longer asks.
 */
export function connectionSignal(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (signal === undefined) {
    const controller = new AbortController();
    ({ signal } = controller);
    signals.set(socket, signal);
    // Each of the requests that a client sends in one go listens for the end of their connection.
    socket.setMaxListeners(0);
    const onClose = (): void => controller.abort(new Error('the client has left'));
    if (socket.destroyed) onClose();
    else socket.once('close', onClose);
  }
  return signal;
}
