// The blob in an answer.
import { createContent, readSource, VerifyingReader } from '../../model/index.ts';
import type { BlobContent, ByteRange, Descriptor } from '../../model/index.ts';

/**
 * The body of an answer as the content of a blob. A whole blob is verified while it is read.
 *
 * @param range the part of the blob in the body; undefined for the whole blob
 */
export function answeredBlob(
  response: Response,
  descriptor: Descriptor,
  range: ByteRange | undefined,
  signal: AbortSignal | undefined,
): BlobContent {
  // Holds the response, not its body alone: Node empties an unread body when the response is collected.
  const iterate = (): AsyncIterable<Uint8Array> => {
    const pieces = readSource(response.body ?? new Uint8Array());
    return range === undefined ? new VerifyingReader(pieces, descriptor) : pieces;
  };
  const cancel = async (): Promise<void> => {
    // The reader of a locked body releases it.
    if (response.body?.locked === false) await response.body.cancel();
  };
  return createContent({ descriptor, range, signal, source: { iterate, cancel } });
}
