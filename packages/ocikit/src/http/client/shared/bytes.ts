// Pieces of bytes, and their announced size.
import { RegistryError } from '../../../model/index.ts';

/** The bytes of all pieces; those of a single one are not copied. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/**
 * Compares the size of content with the announced one.
 *
 * @param announced bytes; undefined: any size is right
 * @throws RegistryError SIZE_INVALID
 */
export function assertSize(announced: number | undefined, found: number): void {
  if (announced !== undefined && announced !== found) throw sizeMismatch(announced, found);
}

/**
 * The error for a source of another size than announced.
 *
 * @param found bytes that came; if there are too many, any number above the announced one
 */
export function sizeMismatch(announced: number, found: number): RegistryError {
  const came = found > announced ? 'more' : `${found}`;
  return new RegistryError('SIZE_INVALID', `${announced} bytes were announced, ${came} came`);
}
