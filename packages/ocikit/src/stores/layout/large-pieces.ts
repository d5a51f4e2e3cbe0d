/** Bytes that are written in one go: a call for each piece that comes off a connection costs more than to copy it. */
export const largePiece: number = 1024 * 1024;

/** The same bytes in larger pieces, all of them in one buffer: a piece is good until the next one is asked for. */
export async function* inLargePieces(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const buffer = Buffer.allocUnsafeSlow(largePiece);
  let filled = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + largePiece - filled);
      buffer.set(part, filled);
      at += part.length;
      filled += part.length;
      if (filled < largePiece) break;
      filled = 0;
      yield buffer;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
