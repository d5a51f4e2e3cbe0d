// Reporting the bytes of a transfer as events.
import type { Digest, OnTransferEvent } from '../../model/index.ts';

interface ReportedBlob {
  digest?: Digest | undefined;
  size?: number | undefined;
}

/** Hands pieces on and reports after each one how many bytes have arrived. */
export async function* reportBytes(
  pieces: AsyncIterable<Uint8Array>,
  repository: string,
  blob: ReportedBlob,
  onEvent: OnTransferEvent | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const report = bytesReport(repository, blob, onEvent);
  for await (const piece of pieces) {
    yield piece;
    report(piece.length);
  }
}

/** Makes a function to call with the number of bytes that arrived since its last call. It reports their sum. */
export function bytesReport(
  repository: string,
  { digest, size }: ReportedBlob,
  onEvent: OnTransferEvent | undefined,
): (count: number) => void {
  let transferred = 0;
  return (count) => {
    transferred += count;
    onEvent?.({ type: 'bytes', repository, digest, size, transferred });
  };
}
