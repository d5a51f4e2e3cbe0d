import type { Digest, OnTransferEvent } from '../../model/index.ts';

interface ReportedBlob {
  digest?: Digest | undefined;
  size?: number | undefined;
}

/** Tells how many bytes have come. */
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

/** To be told each time that so many bytes more have come. */
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
