import { createContent, readSource, VerifyingReader } from '../../model/index.ts';
import type { BlobContent, ByteRange, Descriptor } from '../../model/index.ts';

/**
 * The body of an answer as a content. The whole of a blob is verified as it is read.
 *
 * @param range the part that the body is; all of it if it is undefined
 */
export function answerContent(
  response: Response,
  descriptor: Descriptor,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): BlobContent {
  // The response, not its body alone: when nobody holds it any more, Node empties a body that has not been begun.
  const iterate = (): AsyncIterable<Uint8Array> => {
    const pieces = readSource(response.body ?? new Uint8Array());
    return range === undefined ? new VerifyingReader(pieces, descriptor) : pieces;
  };
  const cancel = async (): Promise<void> => {
    // A body that is being read is let go of by whoever reads it.
    if (response.body?.locked === false) await response.body.cancel();
  };
  return createContent({ descriptor, range, signal, source: { iterate, cancel } });
}
