import type { Digest, OnTransferEvent } from '../../model/index.ts';

/** Tells how many bytes have come. */
export async function* reportBytes(
  pieces: AsyncIterable<Uint8Array>,
  repository: string,
  blob: { digest?: Digest | undefined; size?: number | undefined },
  onEvent: OnTransferEvent | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let transferred = 0;
  for await (const piece of pieces) {
    yield piece;
    transferred += piece.length;
    onEvent?.({ type: 'bytes', repository, digest: blob.digest, size: blob.size, transferred });
  }
}
