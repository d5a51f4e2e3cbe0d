// Several parts of a blob as one content: as a registry makes it, built on single ranges, and split into its parts.
import type { CallOptions } from './call.ts';
import { createContent, resolveRange } from './content.ts';
import type {
  BlobContent,
  ByteRange,
  ByteReader,
  ContentSource,
  CreateContentOptions,
  ResolvedRange,
} from './content.ts';
import type { Descriptor } from './descriptor.ts';
import type { Digest } from './digest.ts';
import type { Reader } from './registry.ts';

/** Options of {@link createPartsContent}. */
export interface CreatePartsOptions extends Omit<CreateContentOptions, 'range'> {
  /** The parts of the blob, in the order in which they are read. Each one is shortened at the blob's end. */
  ranges: readonly ByteRange[];
}

/**
 * Creates a {@link BlobContent} of several parts of a blob, for a `getBlob` that is asked for `ranges`. A source of the
 * `open` form is opened once if its reader has `moveTo`; one of the `iterate` form is called once for each part.
 *
 * @example
 * async getBlob(repository, digest, { range, ranges, signal } = {}) {
 *   const bytes = await load(digest);
 *   const blob = { descriptor: blobDescriptor(digest, bytes.length), signal, source: { pieces: [bytes] } };
 *   return ranges === undefined ? createContent({ ...blob, range }) : createPartsContent({ ...blob, ranges });
 * }
 * @throws RegistryError RANGE_INVALID if a range is invalid
 */
export function createPartsContent(options: CreatePartsOptions): BlobContent {
  return new PartsContent(options);
}

/**
 * Returns the number of bytes that a content has.
 *
 * @example const length = lengthOf(await registry.getBlob('team/app', digest, { range: { last: 100 } }));
 * @returns `Infinity` if the bytes are counted while they are read
 */
export function lengthOf({ range, parts }: Pick<BlobContent, 'range' | 'parts'>): number {
  return (parts ?? [range]).reduce((sum, { start, end }) => sum + (end - start), 0);
}

/** Options of {@link getBlobParts} and {@link blobParts}. */
export interface BlobPartsOptions extends CallOptions {
  /** Bytes of the whole blob, if the caller knows them from a manifest. Stores ignore this. Default: unknown. */
  size?: number | undefined;
}

/**
 * Opens several parts of a blob as one content, of any registry: one that cannot give several parts is asked for them
 * one by one, while the content is read. Rejects like `getBlob`.
 *
 * @example
 * await using content = await getBlobParts(registry, 'team/app', digest, [{ start: 0, end: 100 }, { last: 100 }]);
 * console.log(content.parts); // [{ start: 0, end: 100 }, { start: 900, end: 1000 }]
 */
export async function getBlobParts(
  registry: Pick<Reader, 'getBlob' | 'resolveBlob'>,
  repository: string,
  digest: Digest,
  ranges: readonly ByteRange[],
  options: BlobPartsOptions = {},
): Promise<BlobContent> {
  const content = await registry.getBlob(repository, digest, { ...options, ranges });
  if (content.parts !== undefined) return content;
  await content.cancel();
  let { descriptor } = content;
  if (descriptor.size === Number.POSITIVE_INFINITY) {
    descriptor = await registry.resolveBlob(repository, digest, options);
  }
  const { size } = descriptor;
  const iterate = async function* (part: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    yield* await registry.getBlob(repository, digest, { ...options, size, range: part });
  };
  return createPartsContent({ descriptor, ranges, signal: options.signal, source: { iterate } });
}

/**
 * Reads several parts of a blob, in the order of `ranges`. Each part is a content of its own; its `range` names its
 * bytes. A part can be read until the next one is asked for. Throws like `getBlob`.
 *
 * @example
 * for await (const part of blobParts(registry, 'team/app', digest, [{ start: 0, end: 100 }, { last: 100 }])) {
 *   console.log(part.range, await part.bytes());
 * }
 */
export async function* blobParts(
  registry: Pick<Reader, 'getBlob' | 'resolveBlob'>,
  repository: string,
  digest: Digest,
  ranges: readonly ByteRange[],
  options: BlobPartsOptions = {},
): AsyncGenerator<BlobContent, void, undefined> {
  const content = await getBlobParts(registry, repository, digest, ranges, options);
  const { descriptor } = content;
  try {
    for (const range of content.parts ?? []) {
      let left = range.end - range.start;
      const readInto = async (buffer: Uint8Array): Promise<number> => {
        const count = await content.readInto(buffer.subarray(0, left));
        left -= count;
        return count;
      };
      const part = createContent({
        descriptor,
        range,
        signal: options.signal,
        source: { open: async () => ({ readInto, close: async () => undefined }) },
      });
      yield part;
      await part.cancel();
      await skip(readInto, left);
    }
  } finally {
    await content.cancel();
  }
}

/** Bytes of the buffer that takes what a reader does not want. */
const skipped = 64 * 1024;

async function skip(readInto: ByteReader['readInto'], bytes: number): Promise<void> {
  if (bytes === 0) return;
  const buffer = new Uint8Array(Math.min(bytes, skipped));
  while ((await readInto(buffer)) > 0);
}

class PartsContent implements BlobContent {
  readonly descriptor: Descriptor;
  readonly range: ResolvedRange;
  readonly parts: readonly ResolvedRange[];
  /** The parts as one content, which is the whole of an imagined blob. */
  readonly #all: BlobContent;

  constructor({ descriptor, ranges, source, signal }: CreatePartsOptions) {
    this.descriptor = descriptor;
    this.parts = ranges.map((range) => resolveRange(range, descriptor.size));
    const filled = this.parts.filter(({ start, end }) => start < end);
    this.range = enclosing(filled);
    this.#all = createContent({
      descriptor: { ...descriptor, size: lengthOf({ range: this.range, parts: filled }) },
      signal,
      source: 'open' in source ? readingParts(source, filled) : iteratingParts(source, filled, { descriptor, signal }),
    });
  }

  get form(): 'pieces' | 'buffer' {
    return this.#all.form;
  }

  open(): Promise<void> {
    return this.#all.open();
  }

  readInto(buffer: Uint8Array): Promise<number> {
    return this.#all.readInto(buffer);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#all[Symbol.asyncIterator]();
  }

  lent(): AsyncIterable<Uint8Array> {
    return this.#all.lent();
  }

  stream(): ReadableStream<Uint8Array> {
    return this.#all.stream();
  }

  bytes(limit?: number): Promise<Uint8Array> {
    return this.#all.bytes(limit);
  }

  cancel(): Promise<void> {
    return this.#all.cancel();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }
}

function enclosing(parts: readonly ResolvedRange[]): ResolvedRange {
  if (parts.length === 0) return { start: 0, end: 0 };
  return parts.reduce((all, { start, end }) => ({ start: Math.min(all.start, start), end: Math.max(all.end, end) }), {
    start: Number.POSITIVE_INFINITY,
    end: 0,
  });
}

type OpenedSource = Extract<ContentSource, { open: unknown }>;

function readingParts({ open, cancel }: OpenedSource, parts: readonly ResolvedRange[]): OpenedSource {
  const opened: OpenedSource = {
    async open() {
      const reader = new PartsReader(open, parts);
      await reader.begin();
      return reader;
    },
  };
  return cancel === undefined ? opened : { ...opened, cancel };
}

/** Reads parts through one reader if it can move, else through one reader for each part. */
class PartsReader implements ByteReader {
  readonly #open: OpenedSource['open'];
  readonly #parts: Iterator<ResolvedRange>;
  #reader: ByteReader | undefined;
  /** Bytes of the present part that have not been read. */
  #left = 0;

  constructor(open: OpenedSource['open'], parts: readonly ResolvedRange[]) {
    this.#open = open;
    this.#parts = parts[Symbol.iterator]();
  }

  /** @returns false if there is no further part */
  async begin(): Promise<boolean> {
    const next = this.#parts.next();
    if (next.done === true) return false;
    const part = next.value;
    if (this.#reader?.moveTo === undefined) {
      await this.close();
      this.#reader = await this.#open(part);
    } else await this.#reader.moveTo(part);
    this.#left = part.end - part.start;
    return true;
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    if (this.#left === 0 && !(await this.begin())) return 0;
    const count = (await this.#reader?.readInto(buffer.subarray(0, this.#left))) ?? 0;
    this.#left -= count;
    return count;
  }

  async close(): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await reader?.close();
  }
}

function iteratingParts(
  source: Exclude<ContentSource, OpenedSource>,
  parts: readonly ResolvedRange[],
  { descriptor, signal }: Pick<CreateContentOptions, 'descriptor' | 'signal'>,
): ContentSource {
  if ('pieces' in source) return { iterate: () => slicesOf(source.pieces, parts, signal) };
  const iterate = async function* (_: ResolvedRange, how?: 'lent'): AsyncGenerator<Uint8Array, void, undefined> {
    for (const range of parts) {
      const part = createContent({ descriptor, range, signal, source: { iterate: source.iterate } });
      yield* how === 'lent' ? part.lent() : part;
    }
  };
  return source.cancel === undefined ? { iterate } : { iterate, cancel: source.cancel };
}

async function* slicesOf(
  pieces: readonly Uint8Array[],
  parts: readonly ResolvedRange[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  const ends = pieces.map(({ length }) => (size += length));
  for (const { start, end } of parts) {
    for (let index = pieceAt(ends, start), at = start; at < end; index++) {
      signal?.throwIfAborted();
      const [piece, pieceEnd] = [pieces[index], ends[index]];
      // Blobs in memory have the size that their descriptor says; the reader counts the bytes.
      if (piece === undefined || pieceEnd === undefined) return;
      const from = at - (pieceEnd - piece.length);
      const slice = piece.subarray(from, from + end - at);
      at += slice.length;
      if (slice.length > 0) yield slice;
    }
  }
}

/** The index of the piece that has this byte, by bisection: a large blob has many pieces. */
function pieceAt(ends: readonly number[], position: number): number {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ends[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
