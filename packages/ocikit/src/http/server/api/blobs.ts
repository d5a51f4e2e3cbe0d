// Blobs: pulling them, whole or in part, and deleting them.
import {
  getBlobParts,
  isRegistryError,
  lengthOf,
  mediaTypes,
  parseDigest,
  RegistryError,
} from '../../../model/index.ts';
import type { BlobContent, ByteRange, Digest } from '../../../model/index.ts';
import { formatContentRange, formatEntityTag, parseRanges } from '../../wire/index.ts';
import { empty, errorReply, redirect } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import type { ApiRequest, ResourceOf } from './api-request.ts';
import { conditionOfRead, isConditional } from './conditions.ts';
import { locationOf, mayBeElsewhere } from './content-locations.ts';
import { multipartReply } from './multipart-ranges.ts';

type BlobRequest = ApiRequest<ResourceOf<'blob'>>;

/** GET: sends a blob or a part of it. Distribution specification, "Pulling blobs"; RFC 9110, section 14. */
export async function getBlob(request: BlobRequest): Promise<Reply> {
  const { registry, route, options, call, exchange } = request;
  const digest = parseDigest(route.digest);
  if (isConditional(exchange)) {
    // Resolving is enough to learn that nothing has to be sent. Conditions come before Range: RFC 9110, section 13.2.2.
    await registry.resolveBlob(route.repository, digest, call);
    const notModified = conditionOfRead(exchange, digest, headersOf(digest));
    if (notModified !== undefined) return notModified;
  }
  const ranges = requestedRanges(request, digest);
  if (ranges === 'malformed') {
    const { size } = await registry.resolveBlob(route.repository, digest, call);
    return notSatisfiable('the Range header is not bytes=<first>-<last>', size);
  }
  let range = ranges?.[0];
  if (ranges !== undefined && ranges.length > 1) {
    const parts = await severalParts(request, digest, ranges);
    if ('reply' in parts) return parts.reply;
    ({ range } = parts);
  }
  const content = await registry.getBlob(route.repository, digest, { ...call, range });
  try {
    if (mayBeElsewhere(options, content.descriptor)) {
      const location = await locationOf(options, false, content.descriptor);
      if (location !== undefined) {
        await content.cancel();
        return redirect(location, 307, headersOf(digest));
      }
    }
    const reply = contentReply(content, digest, range);
    await (reply.body === content ? content.open() : content.cancel());
    return reply;
  } catch (error) {
    await content.cancel();
    if (exchange.signal.aborted) throw exchange.signal.reason;
    throw error;
  }
}

/** HEAD: describes the whole blob, as HEAD ignores `Range`. RFC 9110, section 14.2. */
export async function headBlob(request: BlobRequest): Promise<Reply> {
  const { registry, route, options, call, exchange } = request;
  const digest = parseDigest(route.digest);
  const descriptor = await registry.resolveBlob(route.repository, digest, call);
  if (mayBeElsewhere(options, descriptor)) {
    const location = await locationOf(options, false, descriptor);
    if (location !== undefined) return redirect(location, 307, headersOf(digest));
  }
  return (
    conditionOfRead(exchange, digest, headersOf(digest)) ?? {
      status: 200,
      headers: { ...headersOf(digest), 'Content-Length': `${descriptor.size}` },
    }
  );
}

/** DELETE: removes a blob. Distribution specification, "Deleting Blobs". */
export async function deleteBlob({ registry, route, call }: BlobRequest): Promise<Reply> {
  await registry.deleteBlob(route.repository, parseDigest(route.digest), call);
  return empty(202, {});
}

function headersOf(digest: Digest): Reply['headers'] {
  return {
    'Content-Type': mediaTypes.octetStream,
    'Docker-Content-Digest': digest,
    ETag: formatEntityTag(digest),
    'Accept-Ranges': 'bytes',
  };
}

function requestedRanges(
  { exchange }: BlobRequest,
  digest: Digest,
): readonly [ByteRange, ...ByteRange[]] | 'malformed' | undefined {
  const header = exchange.header('range');
  if (header === undefined) return undefined;
  const condition = exchange.header('if-range');
  // A date in If-Range never matches, as blobs have no date.
  if (condition !== undefined && condition.trim() !== formatEntityTag(digest)) return undefined;
  try {
    return parseRanges(header);
  } catch (error) {
    if (isRegistryError(error, 'RANGE_INVALID')) return 'malformed';
    throw error;
  }
}

/**
 * Answers a request for several parts.
 *
 * @returns `range` in place of a reply if the answer is this one part, or the whole blob
 */
async function severalParts(
  { registry, route, options, call, exchange }: BlobRequest,
  digest: Digest,
  ranges: readonly ByteRange[],
): Promise<{ reply: Reply } | { range: ByteRange | undefined }> {
  const content = await getBlobParts(registry, route.repository, digest, ranges, call);
  let isSent = false;
  try {
    const { size } = content.descriptor;
    const location = await locationOf(options, false, content.descriptor);
    if (location !== undefined) return { reply: redirect(location, 307, headersOf(digest)) };
    const parts = (content.parts ?? []).filter(({ start, end }) => start < end);
    // Parts that have more bytes than the blob overlap: the whole blob is less to send, as in Go's and nginx's answers.
    if (size === 0 || lengthOf({ ...content, parts }) > size) return { range: undefined };
    const [first] = parts;
    if (first === undefined) {
      const message = `the request asks for ${ranges.length} ranges, but the blob, of ${size} bytes, has none of them`;
      return { reply: notSatisfiable(message, size) };
    }
    if (parts.length === 1) return { range: first };
    const reply = multipartReply(content, parts, headersOf(digest));
    await reply.body.open();
    isSent = true;
    return { reply };
  } catch (error) {
    if (exchange.signal.aborted) throw exchange.signal.reason;
    throw error;
  } finally {
    if (!isSent) await content.cancel();
  }
}

function contentReply(content: BlobContent, digest: Digest, range: ByteRange | undefined): Reply {
  const { size } = content.descriptor;
  const length = content.range.end - content.range.start;
  // The content of an upstream that named no length is counted while it is sent.
  const isCounted = length === Number.POSITIVE_INFINITY;
  const headers = headersOf(digest);
  if (!isCounted) headers['Content-Length'] = `${length}`;
  // An empty blob has no parts: clients that add a Range to each request get the empty blob.
  if (range === undefined || size === 0 || isCounted) return { status: 200, headers, body: content };
  if (length === 0) {
    const asked = 'last' in range ? `the last ${range.last}` : `from ${range.start}`;
    return notSatisfiable(`the request asks for bytes ${asked}, but the blob has ${size} bytes`, size);
  }
  headers['Content-Range'] = formatContentRange(content.range, size);
  return { status: 206, headers, body: content };
}

function notSatisfiable(message: string, size: number): Reply {
  const reply = errorReply(new RegistryError('RANGE_INVALID', message, { detail: { size } }));
  reply.headers['Content-Range'] = `bytes */${size}`;
  return reply;
}
