// Writes to an HTTP response.
import type { ServerResponse } from 'node:http';

/** Writes a piece of a body, and waits until it has been sent. Rejects if the client disconnects. */
export function writePiece(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new Error('the client has disconnected'));
    response.once('close', onClose);
    response.write(piece, () => {
      response.removeListener('close', onClose);
      resolve();
    });
  });
}
