// Byte ranges: the `Range` and `Content-Range` headers of reads, and the `Content-Range` of chunks of an upload.
import { RegistryError } from '../../model/index.ts';
import type { ByteRange, ResolvedRange } from '../../model/index.ts';

const rangeSpec = /^\s*(?:([0-9]+)-([0-9]*)|-([0-9]+))\s*$/;

/** The most ranges of a request. One with more is answered with the whole content. */
export const mostRanges = 1024;

/**
 * Parses a `Range` header. RFC 9110, section 14.
 *
 * @returns the ranges in their order, at least one; undefined if the answer has to be the whole content: for another
 *   unit than bytes, and for more than {@link mostRanges}
 * @throws RegistryError RANGE_INVALID if the header is malformed
 */
export function parseRanges(header: string): readonly [ByteRange, ...ByteRange[]] | undefined {
  const equals = header.indexOf('=');
  if (equals < 0) throw malformed(header);
  if (header.slice(0, equals).trim().toLowerCase() !== 'bytes') return undefined;
  const specs = header.slice(equals + 1).split(',');
  // Empty elements of a list are skipped. RFC 9110, section 5.6.1.
  const [first, ...others] = specs.filter((spec) => spec.trim() !== '').map((spec) => parseSpec(spec, header));
  if (first === undefined) throw malformed(header);
  return others.length < mostRanges ? [first, ...others] : undefined;
}

function parseSpec(spec: string, header: string): ByteRange {
  const [, first, last, suffix] = rangeSpec.exec(spec) ?? [];
  if (suffix !== undefined) return { last: toOffset(suffix) };
  if (first === undefined) throw malformed(header);
  const start = toOffset(first);
  if (last === undefined || last === '') return { start };
  const end = toOffset(last) + 1;
  if (end <= start) throw malformed(header);
  return { start, end };
}

/** Formats a `Range` header for {@link parseRanges}. Returns undefined for an empty part, which HTTP cannot ask for. */
export function formatRange(range: ByteRange): string | undefined {
  if ('last' in range) return range.last === 0 ? undefined : `bytes=-${range.last}`;
  if (range.end === undefined) return `bytes=${range.start}-`;
  return range.end <= range.start ? undefined : `bytes=${range.start}-${range.end - 1}`;
}

/** Formats the `Content-Range` of an answer with a part of the content. */
export function formatContentRange(range: ResolvedRange, size: number): string {
  return `bytes ${range.start}-${range.end - 1}/${size}`;
}

/** The `Content-Range` of an answer. The size is undefined if it is `*`, as the server does not know it. */
export type ContentRange =
  | { range: ResolvedRange; size: number | undefined }
  /** For an answer 416: the content has no byte of the range. */
  | { range: undefined; size: number };

const contentRange = /^\s*bytes\s+(?:([0-9]+)-([0-9]+)\/([0-9]+|\*)|\*\/([0-9]+))\s*$/i;

/**
 * Parses the `Content-Range` of an answer. Returns undefined if it is malformed or contradicts itself. RFC 9110,
 * section 14.4.
 */
export function parseContentRange(header: string): ContentRange | undefined {
  const [, first, last, whole, unsatisfied] = contentRange.exec(header) ?? [];
  if (unsatisfied !== undefined) {
    const size = Number(unsatisfied);
    return Number.isSafeInteger(size) ? { range: undefined, size } : undefined;
  }
  if (first === undefined) return undefined;
  const range = { start: Number(first), end: Number(last) + 1 };
  const size = whole === '*' ? undefined : Number(whole);
  const fits = range.start < range.end && range.end <= (size ?? range.end) && Number.isSafeInteger(size ?? range.end);
  return fits ? { range, size } : undefined;
}

const chunkRange = /^\s*(?:bytes[\s=]+)?([0-9]+)-([0-9]+)(?:\/(?:[0-9]+|\*))?\s*$/i;

/**
 * Parses the `Content-Range` of a chunk: `<first>-<last>`, or `bytes <first>-<last>/<total>` as some clients write it.
 * An empty chunk ends before its start. Distribution specification, "Pushing a blob in chunks".
 *
 * @throws RegistryError BLOB_UPLOAD_INVALID if the header is malformed
 */
export function parseChunkRange(header: string): ResolvedRange {
  const [, first, last] = chunkRange.exec(header) ?? [];
  const start = toOffset(first ?? '');
  const end = toOffset(last ?? '') + 1;
  if (first === undefined || last === undefined || end < start || !Number.isSafeInteger(end)) {
    throw new RegistryError('BLOB_UPLOAD_INVALID', `the Content-Range header ${quote(header)} is not <first>-<last>`);
  }
  return { start, end };
}

/** Formats the `Content-Range` of a chunk for {@link parseChunkRange}. Returns undefined for an empty chunk. */
export function formatChunkRange({ start, end }: ResolvedRange): string | undefined {
  return end <= start ? undefined : `${start}-${end - 1}`;
}

/** Converts an offset. One that a number cannot hold exactly becomes the largest offset, which is past every end. */
function toOffset(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}

function malformed(header: string): RegistryError {
  return new RegistryError('RANGE_INVALID', `the Range header ${quote(header)} is not bytes=<first>-<last>`);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
