// Changes to the body of a server's reply.
import type { Reply } from '../../http/server/index.ts';
import { createContent, digestOf, mediaTypes, readSource } from '../../model/index.ts';
import type { BlobContent } from '../../model/index.ts';

type Pieces = AsyncIterable<Uint8Array>;

/**
 * The size of a reply's body.
 *
 * @returns in bytes; undefined if the body is missing or empty
 */
export function sizeOfBody({ body }: Reply): number | undefined {
  const content = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const size = content instanceof Uint8Array ? content.length : content && content.range.end - content.range.start;
  return size === 0 ? undefined : size;
}

/**
 * The reply with a changed body.
 *
 * @param size the bytes of the new body, to be announced. Default: the announced size stays
 */
export function mapBody(reply: Reply, map: (pieces: Pieces) => Pieces, size?: number): Reply {
  const { body } = reply;
  if (body === undefined) return reply;
  const pieces: Uint8Array | BlobContent = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const content = createContent({
    // Adapters send the bytes and ignore this digest.
    descriptor: { mediaType: mediaTypes.octetStream, digest: placeholder, size: size ?? sizeOfBody(reply) ?? 0 },
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

const placeholder = digestOf(new Uint8Array());

/** The reply with a body that fails at once: the server ends the connection and sends nothing. */
export function brokenBody(reply: Reply, error: Error): Reply {
  const { body } = reply;
  const content = createContent({
    // One byte, so that the body is read. The server opens it for an answer to HEAD too.
    descriptor: { mediaType: mediaTypes.octetStream, digest: placeholder, size: 1 },
    source: {
      open: async () => {
        if (typeof body === 'object' && 'cancel' in body) await body.cancel();
        throw error;
      },
    },
  });
  return {
    ...reply,
    status: reply.status < 200 || [204, 304].includes(reply.status) ? 200 : reply.status,
    body: content,
  };
}
