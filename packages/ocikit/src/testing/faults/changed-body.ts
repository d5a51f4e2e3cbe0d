import type { Reply } from '../../http/server/index.ts';
import { createContent, digestOf, mediaTypes, readSource } from '../../model/index.ts';
import type { BlobContent } from '../../model/index.ts';

type Pieces = AsyncIterable<Uint8Array>;

/** @returns bytes of a reply's body; undefined if it has none */
export function sizeOfBody({ body }: Reply): number | undefined {
  const content = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const size = content instanceof Uint8Array ? content.length : content && content.range.end - content.range.start;
  return size === 0 ? undefined : size;
}

/**
 * A reply with another body.
 *
 * @param size of the new one, which is then announced; if it is left out, what was announced before stays
 */
export function mapBody(reply: Reply, map: (pieces: Pieces) => Pieces, size?: number): Reply {
  const { body } = reply;
  if (body === undefined) return reply;
  const pieces: Uint8Array | BlobContent = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const content = createContent({
    // Whose bytes they are matters to nobody who sends them.
    descriptor: { mediaType: mediaTypes.octetStream, digest: nobodys, size: size ?? sizeOfBody(reply) ?? 0 },
    source: {
      iterate: () => map(readSource(pieces)),
      cancel: async () => {
        if (!(pieces instanceof Uint8Array)) await pieces.cancel();
      },
    },
  });
  const headers = size === undefined ? reply.headers : { ...reply.headers, 'Content-Length': `${size}` };
  return { ...reply, headers, body: content };
}

const nobodys = digestOf(new Uint8Array());

/** A reply whose body fails at once, so that nothing of it is sent: the server ends the connection. */
export function brokenBody(reply: Reply, error: Error): Reply {
  const broken = (): Pieces => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }) });
  return mapBody({ ...reply, body: reply.body ?? ' ' }, broken);
}
