// An AbortSignal that aborts when a connection closes.
import type { Socket } from 'node:net';

const signals = new WeakMap<Socket, AbortSignal>();

/**
 * Returns the signal of a connection. All requests of the connection share it: creating a signal takes longer than
 * answering a small request. Sharing is safe, as pipelined requests end with their connection, and an answered request
 * ignores the signal.
 */
export function connectionSignal(socket: Socket): AbortSignal {
  let signal = signals.get(socket);
  if (signal === undefined) {
    const controller = new AbortController();
    ({ signal } = controller);
    signals.set(socket, signal);
    // Every pipelined request may add its own listener for `close`: do not warn about their number.
    socket.setMaxListeners(0);
    const onClose = (): void => controller.abort(new Error('the client disconnected'));
    if (socket.destroyed) onClose();
    else socket.once('close', onClose);
  }
  return signal;
}
