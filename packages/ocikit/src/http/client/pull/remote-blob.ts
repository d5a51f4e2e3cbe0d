import { digestOf, resolveRange, splitDigest, wrongSize } from '../../../model/index.ts';
import type { ByteRange, CallOptions, Digest, ResolvedRange } from '../../../model/index.ts';
import { formatRange, lengthIn, parseContentRange, repositoryScope } from '../../wire/index.ts';
import type { ContentRange } from '../../wire/index.ts';

import { blobAddress, digestIn } from '../shared/index.ts';
import type { Lane, Transport } from '../transport/index.ts';
import type { Answer } from '../shared/index.ts';

/** A part of a blob, as an answer has it. */
export interface BlobPart {
  readonly answer: Answer;
  /** Where its first byte stands in the blob. 0 if the registry ignores ranges, whatever was asked for. */
  readonly start: number;
  /** Bytes of the whole blob; undefined if the answer does not say. */
  readonly size: number | undefined;
}

/** One blob in a repository, as one call asks for it. Distribution specification, "Pulling blobs". */
export interface RemoteBlob {
  /** Bytes of the whole blob: where no HEAD tells them, a GET of the first byte does. */
  askSize(): Promise<number>;
  /** @param range all of it if it is undefined; not an empty one, which cannot be asked for */
  get(range: ByteRange | undefined): Promise<BlobPart>;
  /**
   * The bytes of a part, from its first to its last. Where the connection is cut, it goes on from that byte, as long as each
   * attempt brings some.
   *
   * @param size bytes of the whole blob
   * @param first an answer that begins there, if there is one already
   * @param how `lent`: each piece is good only until the third after it is asked for
   * @throws RegistryError SIZE_INVALID if there are more bytes than announced, or an answer ends too early without having been cut
   */
  pieces(
    range: ResolvedRange,
    size: number,
    first?: BlobPart,
    how?: 'lent',
  ): AsyncGenerator<Uint8Array, void, undefined>;
  /** The same blob, asked for with another signal. */
  with(signal: AbortSignal): RemoteBlob;
}

/** How often a registry that ignores ranges is asked again for all that came already. */
const maxRestarts = 5;

/** @throws RegistryError NAME_INVALID, DIGEST_INVALID */
export function remoteBlob(transport: Transport, repository: string, digest: Digest, call: CallOptions): RemoteBlob {
  const url = blobAddress(transport.base, repository, digest);
  let restarts = 0;

  const send = (
    method: 'GET' | 'HEAD',
    range: string | undefined,
    expect: readonly number[],
    lane?: Lane,
  ): Promise<Answer> =>
    transport.send({
      method,
      url,
      scope: repositoryScope(repository, 'pull'),
      headers: range === undefined ? {} : { range },
      expect,
      missing: 'BLOB_UNKNOWN',
      call,
      lane,
    });

  const askSize = async (): Promise<number> => {
    const head = await send('HEAD', undefined, [200, 405, 501]);
    digestIn(head, digest);
    const length = head.status === 200 ? lengthIn(head) : undefined;
    if (length !== undefined) return length;
    const answer = await send('GET', 'bytes=0-0', [200, 206, 416]);
    await answer.discard();
    digestIn(answer, digest);
    const size = answer.status === 200 ? lengthIn(answer) : contentRangeIn(answer)?.size;
    if (size !== undefined) return size;
    // The empty blob has no first byte: it is answered whole, and in chunks perhaps.
    if (digest === digestOf(new Uint8Array(), splitDigest(digest).algorithm)) return 0;
    throw transport.wrongAnswer(answer, 'does not say how large the blob is');
  };

  const get = async (range: ByteRange | undefined): Promise<BlobPart> => {
    const header = range === undefined ? undefined : formatRange(range);
    const answer = await send('GET', header, header === undefined ? [200] : [200, 206, 416], 'download');
    try {
      if (answer.status === 416) return await partOfNothing(answer, range);
      digestIn(answer, digest);
      if (answer.status === 206) return await partIn(answer, range);
      return { answer, start: 0, size: lengthIn(answer) };
    } catch (error) {
      await answer.discard();
      throw error;
    }
  };

  const partIn = async (answer: Answer, asked: ByteRange | undefined): Promise<BlobPart> => {
    const found = contentRangeIn(answer);
    const length = lengthIn(answer);
    if (found?.range === undefined) {
      // The last bytes of the empty blob have no range that could be written down, and registries in Go answer with it.
      if (length === 0) return partOfNothing(answer, asked);
      throw transport.wrongAnswer(answer, 'is a part without Content-Range');
    }
    const { start, end } = found.range;
    const size = found.size ?? (await askSize());
    const wanted = resolveRange(asked, size);
    if (start !== wanted.start || end > wanted.end || (length ?? end - start) !== end - start) {
      const came = `${length ?? end - start} bytes from ${start} to ${end}`;
      throw transport.wrongAnswer(answer, `has ${came}, not from ${wanted.start} to ${wanted.end}`);
    }
    return { answer, start, size };
  };

  /** Nothing of what was asked for is there, which is right if it is past the end. */
  const partOfNothing = async (answer: Answer, asked: ByteRange | undefined): Promise<BlobPart> => {
    await answer.discard();
    const size = contentRangeIn(answer)?.size ?? (await askSize());
    const range = resolveRange(asked, size);
    const { start, end } = range;
    if (start === end) return { answer, start, size };
    // Some know only ranges of which both ends are said, and are there.
    if (asked === undefined || formatRange(asked) !== formatRange(range)) return get(range);
    throw transport.wrongAnswer(answer, `refuses bytes ${start} to ${end} of ${size}`);
  };

  async function* pieces(
    range: ResolvedRange,
    size: number,
    first?: BlobPart,
    how?: 'lent',
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { end } = range;
    let at = range.start;
    let reading = first === undefined ? undefined : readPart(first, how);
    /** What lies past the range is nobody's mistake if all of the blob came. */
    const hasMore = (): boolean => reading?.answer.status === 200 && end < size;
    try {
      while (at < end) {
        const found = await next(reading, { start: at, end }, size, how);
        ({ reading } = found);
        const piece = found.piece.subarray(0, end - at);
        if (piece.length < found.piece.length && !hasMore()) throw wrongSize(digest, size, size + 1);
        at += piece.length;
        yield piece;
      }
      // An answer that has been read to its end leaves a connection that can be used again.
      if (hasMore()) return;
      if ((await reading?.next(at).catch(() => undefined)) !== undefined) throw wrongSize(digest, size, size + 1);
    } finally {
      await reading?.answer.discard();
    }
  }

  const next = async (
    reading: PartReading | undefined,
    range: ResolvedRange,
    size: number,
    how: 'lent' | undefined,
  ): Promise<{ reading: PartReading; piece: Uint8Array }> => {
    let failure: { error: unknown } | undefined;
    if (reading !== undefined) {
      try {
        const piece = await reading.next(range.start);
        if (piece !== undefined) return { reading, piece };
      } catch (error) {
        // An answer that nobody read for long has let go of its connection: that is no reason to wait.
        if (!(error instanceof TypeError)) failure = { error };
      }
      await reading.answer.discard();
    }
    return transport.attempt(call, (attempt) => {
      if (attempt === 1 && failure !== undefined) throw failure.error;
      return goOn(range, size, how);
    });
  };

  /** Asks for what is missing, until the first bytes of it are there: nothing else is progress. */
  const goOn = async (
    { start, end }: ResolvedRange,
    size: number,
    how: 'lent' | undefined,
  ): Promise<{ reading: PartReading; piece: Uint8Array }> => {
    const part = await get(start === 0 && end === size ? undefined : { start, end: end === size ? undefined : end });
    const reading = readPart(part, how);
    try {
      if ((part.size ?? size) !== size) {
        throw transport.wrongAnswer(part.answer, `is of a blob of ${part.size} bytes, which had ${size} before`);
      }
      if (part.start < start && ++restarts > maxRestarts) {
        throw transport.wrongAnswer(part.answer, 'begins at the first byte each time');
      }
      call.onEvent?.({ type: 'resumed', repository, digest, size, at: start });
      const piece = await reading.next(start);
      if (piece !== undefined) return { reading, piece };
      throw wrongSize(digest, size, start);
    } catch (error) {
      await part.answer.discard();
      throw error;
    }
  };

  return {
    askSize,
    get,
    pieces,
    with: (signal) => remoteBlob(transport, repository, digest, { ...call, signal }),
  };
}

function contentRangeIn({ headers }: Answer): ContentRange | undefined {
  return parseContentRange(headers.get('content-range') ?? '');
}

/** The body of one answer, whose bytes have their places in the blob. */
interface PartReading {
  readonly answer: Answer;
  /** The next bytes that stand at this place or after it; undefined at the end. */
  next(position: number): Promise<Uint8Array | undefined>;
}

function readPart({ answer, start }: BlobPart, how: 'lent' | undefined): PartReading {
  const pieces = answer.body(how)[Symbol.asyncIterator]();
  let at = start;
  return {
    answer,
    async next(position) {
      for (;;) {
        const next = await pieces.next();
        if (next.done === true) return undefined;
        const skipped = Math.max(0, position - at);
        at += next.value.length;
        if (at > position) return next.value.subarray(skipped);
      }
    },
  };
}
