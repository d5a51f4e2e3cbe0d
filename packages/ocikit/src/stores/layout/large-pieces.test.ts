import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { inLargePieces, largePiece } from './large-pieces.ts';

async function* piecesOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (const size of sizes) yield bytes.subarray(at, (at += size));
  yield bytes.subarray(at);
}

test('what comes in pieces of any size is handed on whole and in order, and no piece but the last is smaller than the others', async () => {
  const bytes = new Uint8Array(5 * largePiece + 123).map((_, i) => (i * 31) >> 5);
  const sizes = fc.array(fc.oneof(fc.nat(100), fc.nat(2 * largePiece), fc.constant(largePiece)), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(sizes, async (each) => {
      const found: Uint8Array[] = [];
      for await (const piece of inLargePieces(piecesOf(bytes, each))) found.push(piece.slice());
      expect(found.map(({ length }) => length)).toEqual([...Array.from({ length: 5 }, () => largePiece), 123]);
      expect(Buffer.compare(Buffer.concat(found), bytes)).toBe(0);
    }),
    { numRuns: 20 },
  );
});

test('of nothing there are no pieces, and a failure goes on', async () => {
  const empty: Uint8Array[] = [];
  for await (const piece of inLargePieces(piecesOf(new Uint8Array(), [0, 0]))) empty.push(piece);
  expect(empty).toEqual([]);
  const failing = async function* (): AsyncGenerator<Uint8Array> {
    yield new Uint8Array(3);
    throw new Error('enough');
  };
  await expect(inLargePieces(failing()).next()).rejects.toThrow('enough');
});
