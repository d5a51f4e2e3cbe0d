import { digestOf, mediaTypes, RegistryError, resolveRange, splitDigest } from '../../model/index.ts';
import type { ByteRange, CallOptions, Descriptor, Digest, ResolvedRange } from '../../model/index.ts';
import { formatRange, parseContentRange } from '../wire/index.ts';
import type { ContentRange } from '../wire/index.ts';

import { blobAddress } from './addresses.ts';
import { digestIn, lengthIn } from './answer-headers.ts';
import { repositoryScope } from './auth/index.ts';
import type { Lane } from './request.ts';
import type { Answer, Transport } from './transport.ts';

/** A part of a blob, as an answer has it. */
export interface BlobPart {
  readonly answer: Answer;
  /** Where its first byte stands in the blob. 0 if the registry ignores ranges, whatever was asked for. */
  readonly start: number;
  /** Where it ends; undefined if the answer does not say. */
  readonly end: number | undefined;
  /** Bytes of the whole blob; undefined if the answer does not say. */
  readonly size: number | undefined;
}

/** How often a registry that ignores ranges is asked again for all that came already. */
const maxRestarts = 5;

/** One blob in a repository, as one call asks for it. Distribution specification, "Pulling blobs". */
export class RemoteBlob {
  readonly digest: Digest;
  readonly #transport: Transport;
  readonly #repository: string;
  readonly #call: CallOptions;
  readonly #url: URL;
  #restarts = 0;

  constructor(transport: Transport, repository: string, digest: Digest, call: CallOptions) {
    this.digest = digest;
    this.#transport = transport;
    this.#repository = repository;
    this.#call = call;
    this.#url = blobAddress(transport.base, repository, digest);
  }

  /** The same blob, asked for with another signal. */
  with(signal: AbortSignal): RemoteBlob {
    return new RemoteBlob(this.#transport, this.#repository, this.digest, { ...this.#call, signal });
  }

  async describe(): Promise<Descriptor> {
    return this.descriptorOf(await this.#askSize());
  }

  descriptorOf(size: number): Descriptor {
    return { mediaType: mediaTypes.octetStream, digest: this.digest, size };
  }

  /** @returns its bytes; where no HEAD tells them, a GET of the first byte does */
  async #askSize(): Promise<number> {
    const head = await this.#send('HEAD', {}, [200, 405, 501]);
    digestIn(head, this.digest);
    const length = head.status === 200 ? lengthIn(head) : undefined;
    if (length !== undefined) return length;
    const answer = await this.#send('GET', { range: 'bytes=0-0' }, [200, 206, 416]);
    await answer.discard();
    digestIn(answer, this.digest);
    const size = answer.status === 200 ? lengthIn(answer) : contentRangeIn(answer)?.size;
    if (size !== undefined) return size;
    // The empty blob has no first byte: it is answered whole, and in chunks perhaps.
    if (this.digest === digestOf(new Uint8Array(), splitDigest(this.digest).algorithm)) return 0;
    throw this.#transport.wrongAnswer(answer, 'does not say how large the blob is');
  }

  /** @param range all of it if it is undefined; not an empty one, which cannot be asked for */
  async get(range: ByteRange | undefined): Promise<BlobPart> {
    const header = range === undefined ? undefined : formatRange(range);
    const answer =
      header === undefined
        ? await this.#send('GET', {}, [200], 'download')
        : await this.#send('GET', { range: header }, [200, 206, 416], 'download');
    try {
      if (answer.status === 416) return await this.#partOfNothing(answer, range);
      digestIn(answer, this.digest);
      if (answer.status === 206) return await this.#partIn(answer, range);
      const size = lengthIn(answer);
      return { answer, start: 0, end: size, size };
    } catch (error) {
      await answer.discard();
      this.#transport.note(error, this.#call);
      throw error;
    }
  }

  async #partIn(answer: Answer, asked: ByteRange | undefined): Promise<BlobPart> {
    const found = contentRangeIn(answer);
    if (found?.range === undefined) {
      // The last bytes of the empty blob have no range that could be written down, and registries in Go answer with it.
      if (lengthIn(answer) === 0) return this.#partOfNothing(answer, asked);
      throw this.#transport.wrongAnswer(answer, 'is a part without Content-Range');
    }
    const { range } = found;
    const size = found.size ?? (await this.#askSize());
    const wanted = resolveRange(asked, size);
    if (range.start !== wanted.start || range.end > wanted.end) {
      throw this.#transport.wrongAnswer(
        answer,
        `has bytes ${range.start} to ${range.end}, not ${wanted.start} to ${wanted.end}`,
      );
    }
    const length = lengthIn(answer);
    if (length !== undefined && length !== range.end - range.start) {
      throw this.#transport.wrongAnswer(
        answer,
        `has ${length} bytes, but says they are ${range.start} to ${range.end}`,
      );
    }
    return { answer, ...range, size };
  }

  /** Nothing of what was asked for is there, which is right if it is past the end. */
  async #partOfNothing(answer: Answer, asked: ByteRange | undefined): Promise<BlobPart> {
    await answer.discard();
    const size = contentRangeIn(answer)?.size ?? (await this.#askSize());
    const range = resolveRange(asked, size);
    const { start, end } = range;
    if (start === end) return { answer, start, end, size };
    // Some know only ranges of which both ends are said, and are there.
    if (asked === undefined || formatRange(asked) !== formatRange(range)) return this.get(range);
    throw this.#transport.wrongAnswer(answer, `refuses bytes ${start} to ${end} of ${size}`);
  }

  /** Bytes of the whole blob, wherever that is said. */
  async sizeOf(part: BlobPart): Promise<number> {
    return part.size ?? this.#askSize();
  }

  /**
   * The bytes of a part, from its first to its last. Where the connection is cut, it goes on from that byte, as long as each
   * attempt brings some.
   *
   * @param size bytes of the whole blob
   * @param first an answer that begins there, if there is one already
   * @throws RegistryError SIZE_INVALID if there are more bytes than announced, or an answer ends too early without having been cut
   */
  async *pieces(range: ResolvedRange, size: number, first?: BlobPart): AsyncGenerator<Uint8Array, void, undefined> {
    /** What lies past the part is nobody's mistake if all of the blob came. */
    const hasMore = (whole: PartReading): boolean => whole.isWhole && range.end < size;
    let at = range.start;
    let reading = first === undefined ? undefined : new PartReading(first);
    try {
      while (at < range.end) {
        const found = await this.#next(reading, { start: at, end: range.end }, size);
        ({ reading } = found);
        const piece = found.piece.subarray(0, range.end - at);
        if (piece.length < found.piece.length && !hasMore(reading)) throw this.#tooLong();
        at += piece.length;
        yield piece;
      }
      // An answer that has been read to its end leaves a connection that can be used again.
      if (reading === undefined || hasMore(reading)) return;
      if ((await reading.next(at).catch(() => undefined)) !== undefined) throw this.#tooLong();
    } finally {
      await reading?.leave();
    }
  }

  async #next(
    reading: PartReading | undefined,
    range: ResolvedRange,
    size: number,
  ): Promise<{ reading: PartReading; piece: Uint8Array }> {
    let failure: { error: unknown } | undefined;
    if (reading !== undefined) {
      try {
        const piece = await reading.next(range.start);
        if (piece !== undefined) return { reading, piece };
      } catch (error) {
        // An answer that nobody read for long has let go of its connection: that is no reason to wait.
        if (!(error instanceof TypeError)) failure = { error };
      }
      await reading.leave();
    }
    return this.#transport.attempt(this.#call, (attempt) => {
      if (attempt === 1 && failure !== undefined) throw failure.error;
      return this.#goOn(range, size);
    });
  }

  /** Asks for what is missing, until the first bytes of it are there: nothing else is progress. */
  async #goOn({ start, end }: ResolvedRange, size: number): Promise<{ reading: PartReading; piece: Uint8Array }> {
    const part = await this.get(
      start === 0 && end === size ? undefined : { start, end: end === size ? undefined : end },
    );
    const reading = new PartReading(part);
    try {
      if ((part.size ?? size) !== size) {
        throw this.#transport.wrongAnswer(part.answer, `is of a blob of ${part.size} bytes, which had ${size} before`);
      }
      if (part.start < start && ++this.#restarts > maxRestarts) {
        throw this.#transport.wrongAnswer(part.answer, 'begins at the first byte each time');
      }
      this.#call.onEvent?.({ type: 'resumed', repository: this.#repository, digest: this.digest, size, at: start });
      const piece = await reading.next(start);
      if (piece !== undefined) return { reading, piece };
      throw new RegistryError('SIZE_INVALID', `${this.digest}: the answers end ${size - start} bytes too early`);
    } catch (error) {
      await reading.leave();
      throw error;
    }
  }

  #tooLong(): RegistryError {
    return new RegistryError('SIZE_INVALID', `${this.digest}: there are more bytes than announced`);
  }

  #send(
    method: 'GET' | 'HEAD',
    headers: Readonly<Record<string, string>>,
    expect: readonly number[],
    lane: Lane = 'small',
  ): Promise<Answer> {
    return this.#transport.send({
      method,
      url: this.#url,
      scope: repositoryScope(this.#repository, 'pull'),
      headers,
      expect,
      missing: 'BLOB_UNKNOWN',
      call: this.#call,
      lane,
    });
  }
}

function contentRangeIn({ headers }: Answer): ContentRange | undefined {
  return parseContentRange(headers.get('content-range') ?? '');
}

/** The body of one answer, whose bytes have their places in the blob. */
class PartReading {
  readonly #part: BlobPart;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #at: number;

  constructor(part: BlobPart) {
    this.#part = part;
    this.#pieces = part.answer.body()[Symbol.asyncIterator]();
    this.#at = part.start;
  }

  /** Whether the registry gives all of the blob, whatever was asked for. */
  get isWhole(): boolean {
    return this.#part.answer.status === 200;
  }

  /** The next bytes that stand at this place or after it; undefined at the end. */
  async next(position: number): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = await this.#pieces.next();
      if (next.done === true) return undefined;
      const start = this.#at;
      this.#at += next.value.length;
      if (this.#at > position) return next.value.subarray(Math.max(0, position - start));
    }
  }

  /** Also while it waits. */
  leave(): Promise<void> {
    return this.#part.answer.discard();
  }
}
