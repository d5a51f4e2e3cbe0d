// One blob in a repository, as one call fetches it. Distribution specification, "Pulling blobs".
import { digestOf, resolveRange, splitDigest, VerifyingReader, wrongSize } from '../../../model/index.ts';
import type { ByteRange, CallOptions, Digest, ResolvedRange } from '../../../model/index.ts';
import { formatRange, lengthIn, parseContentRange, repositoryScope } from '../../wire/index.ts';
import type { ContentRange } from '../../wire/index.ts';
import { blobAddress, digestIn, loadPart } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';
import type { Lane, Transport } from '../transport/index.ts';

import { PartReader } from './blob-part.ts';
import type { BlobPart } from './blob-part.ts';
import type { BlobForm } from './encoded-blob.ts';

/** How often a registry that ignores ranges is asked again, and sends again all bytes that came already. */
const maxRestarts = 5;

/** The next bytes of a blob, and the reader that they came from. */
interface NextPiece {
  reader: PartReader;
  piece: Uint8Array;
}

/** One blob in a repository, as one call fetches it. */
export class RemoteBlob {
  readonly #transport: Transport;
  readonly #repository: string;
  readonly #digest: Digest;
  readonly #call: CallOptions;
  readonly #url: URL;
  /** Bytes of the whole blob, if the caller knows them. */
  readonly #known: number | undefined;
  /** The form of encoded responses that is the blob. */
  #form: BlobForm | undefined;
  #restarts = 0;

  /** @throws RegistryError NAME_INVALID, DIGEST_INVALID */
  constructor(transport: Transport, repository: string, digest: Digest, call: CallOptions, known?: number) {
    this.#transport = transport;
    this.#repository = repository;
    this.#digest = digest;
    this.#call = call;
    this.#known = known;
    this.#url = blobAddress(transport.base, repository, digest);
  }

  /** The same blob, fetched with another signal. */
  with(signal: AbortSignal): RemoteBlob {
    return new RemoteBlob(this.#transport, this.#repository, this.#digest, { ...this.#call, signal }, this.#known);
  }

  /**
   * Asks for the bytes of the whole blob, by a HEAD; if its response does not say and the caller does not know, by a
   * GET of the first byte. A registry that ignores the range may send the whole blob without a length: it is counted.
   */
  async askSize(): Promise<number> {
    const head = await this.#send('HEAD', undefined, [200, 405, 501]);
    digestIn(head, this.#digest);
    const length = head.status === 200 ? lengthIn(head) : undefined;
    // Some proxies say 0 of each response to a HEAD, as it has no body.
    if (length !== undefined && (length > 0 || this.#isEmpty())) return length;
    if (head.status === 200 && this.#known !== undefined) return this.#known;
    const response = await this.#send('GET', 'bytes=0-0', [200, 206, 416]);
    const size = response.status === 200 ? lengthIn(response) : contentRangeIn(response)?.size;
    if (size === undefined && this.#known === undefined && response.status === 200) return this.#counted(response);
    await response.discard();
    digestIn(response, this.#digest);
    if (size !== undefined) return size;
    if (this.#known !== undefined && response.status !== 416) return this.#known;
    // The empty blob has no first byte: the response is the whole blob, perhaps without a length.
    if (this.#isEmpty()) return 0;
    if (response.status === 206) return this.#counted(undefined);
    throw this.#transport.wrongResponse(response, 'does not say how large the blob is');
  }

  #isEmpty(): boolean {
    return this.#digest === digestOf(new Uint8Array(), splitDigest(this.#digest).algorithm);
  }

  /**
   * Counts the bytes of the whole blob in a response without a length. They are verified, as not every cut shows.
   *
   * @param first a response that has them; undefined: there is none yet
   */
  #counted(first: ClientResponse | undefined): Promise<number> {
    return this.#transport.attempt(this.#call, async (attempt) => {
      const isFirst = attempt === 1 && first !== undefined;
      const response = isFirst ? first : await this.#send('GET', undefined, [200], 'download');
      digestIn(response, this.#digest);
      let size = 0;
      for await (const piece of new VerifyingReader(response.body(), { digest: this.#digest })) size += piece.length;
      return size;
    });
  }

  /**
   * Requests a part.
   *
   * @param range undefined: the whole blob; not an empty one, which cannot be requested
   */
  async get(range: ByteRange | undefined): Promise<BlobPart> {
    const header = range === undefined ? undefined : formatRange(range);
    const response = await this.#send('GET', header, header === undefined ? [200] : [200, 206, 416], 'download');
    try {
      if (response.status === 416) return await this.#partOfNothing(response, range);
      digestIn(response, this.#digest);
      if (response.isEncoded) return await this.#partOfEncoded(response);
      if (response.status === 206) return await this.#partIn(response, range);
      return { response, start: 0, size: lengthIn(response) };
    } catch (error) {
      await response.discard();
      throw error;
    }
  }

  /**
   * The bytes of a part, from its first to its last. If the connection is cut, the part is resumed at the next byte,
   * as long as each attempt brings some bytes.
   *
   * @param size bytes of the whole blob
   * @param first a response that begins there, if there is one already
   * @param how `lent`: each piece is valid only until the third piece after it is requested
   * @throws RegistryError SIZE_INVALID if more bytes come than announced, or a response ends early without having been
   * cut
   */
  async *pieces(
    range: ResolvedRange,
    size: number,
    first?: BlobPart,
    how?: 'lent',
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { end } = range;
    let at = range.start;
    let reader = first === undefined ? undefined : new PartReader(first, how);
    /** Bytes past the range are expected if the response is the whole blob. */
    const hasMore = (): boolean => reader?.response.status === 200 && end < size;
    try {
      while (at < end) {
        const found = await this.#next(reader, { start: at, end }, size, how);
        // A response without a length ends where the blob does.
        if (found === undefined) return;
        ({ reader } = found);
        const piece = found.piece.subarray(0, end - at);
        if (piece.length < found.piece.length && !hasMore()) throw this.#tooLarge(size);
        at += piece.length;
        yield piece;
      }
      if (hasMore()) return;
      // A response that is read to its end leaves a connection that can be used again.
      if ((await reader?.next(at).catch(() => undefined)) !== undefined) throw this.#tooLarge(size);
    } finally {
      await reader?.response.discard();
    }
  }

  #tooLarge(size: number): Error {
    return wrongSize(this.#digest, size, size + 1);
  }

  #send(
    method: 'GET' | 'HEAD',
    range: string | undefined,
    expect: readonly number[],
    lane?: Lane,
  ): Promise<ClientResponse> {
    return this.#transport.send({
      method,
      url: this.#url,
      scope: repositoryScope(this.#repository, 'pull'),
      headers: range === undefined ? {} : { range },
      expect,
      missing: 'BLOB_UNKNOWN',
      call: this.#call,
      lane,
    });
  }

  async #partOfEncoded(first: ClientResponse): Promise<BlobPart> {
    const { partOfEncoded } = await loadPart(import('./encoded-blob.ts'), this.#call.signal);
    const { part, form } = await partOfEncoded(first, {
      digest: this.#digest,
      size: this.#known,
      form: this.#form,
      getWhole: () => this.#send('GET', undefined, [200], 'download'),
    });
    this.#form = form;
    return part;
  }

  async #partIn(response: ClientResponse, asked: ByteRange | undefined): Promise<BlobPart> {
    const found = contentRangeIn(response);
    const length = lengthIn(response);
    if (found?.range === undefined) {
      // The last bytes of the empty blob have no range in HTTP's form. Registries written in Go answer with an empty
      // part.
      if (length === 0) return this.#partOfNothing(response, asked);
      throw this.#transport.wrongResponse(response, 'is a part without a valid Content-Range');
    }
    const { start, end } = found.range;
    const size = found.size ?? this.#known ?? (await this.askSize());
    const wanted = resolveRange(asked, size);
    if (start !== wanted.start || end > wanted.end || (length ?? end - start) !== end - start) {
      const came = `${length ?? end - start} bytes from ${start} to ${end}`;
      throw this.#transport.wrongResponse(response, `has ${came}, not from ${wanted.start} to ${wanted.end}`);
    }
    return { response, start, size };
  }

  /** The part for a response without a byte of the requested range, which is right if the range is past the end. */
  async #partOfNothing(response: ClientResponse, asked: ByteRange | undefined): Promise<BlobPart> {
    await response.discard();
    const size = contentRangeIn(response)?.size ?? (await this.askSize());
    const range = resolveRange(asked, size);
    const { start, end } = range;
    if (start === end) return { response, start, size };
    // Some registries accept only ranges with both ends, within the blob.
    if (asked === undefined || formatRange(asked) !== formatRange(range)) return this.get(range);
    throw this.#transport.wrongResponse(response, `refuses bytes ${start} to ${end} of ${size}`);
  }

  /** The next bytes of a range: from the reader, or from a new request if the reader's connection was cut. */
  async #next(
    reader: PartReader | undefined,
    range: ResolvedRange,
    size: number,
    how: 'lent' | undefined,
  ): Promise<NextPiece | undefined> {
    let failure: { error: unknown } | undefined;
    if (reader !== undefined) {
      try {
        const piece = await reader.next(range.start);
        if (piece !== undefined) return { reader, piece };
        if (size === Number.POSITIVE_INFINITY) return undefined;
      } catch (error) {
        // A TypeError: the response was unread for long and has released its connection. The next request need not
        // wait.
        if (!(error instanceof TypeError)) failure = { error };
      }
      await reader.response.discard();
    }
    return this.#transport.attempt(this.#call, (attempt) => {
      if (attempt === 1 && failure !== undefined) throw failure.error;
      return this.#resume(range, size, how);
    });
  }

  /** Requests the missing bytes, and waits for the first of them: only bytes are progress. */
  async #resume({ start, end }: ResolvedRange, size: number, how: 'lent' | undefined): Promise<NextPiece | undefined> {
    const isWhole = start === 0 && end === size;
    const part = await this.get(isWhole ? undefined : { start, end: end === size ? undefined : end });
    // The cut came behind the last byte.
    if (size === Number.POSITIVE_INFINITY && part.size !== undefined && start >= part.size) return undefined;
    const reader = new PartReader(part, how);
    try {
      this.#assertSame(part, start, size);
      this.#call.onEvent?.({ type: 'resumed', repository: this.#repository, digest: this.#digest, size, at: start });
      const piece = await reader.next(start);
      if (piece !== undefined) return { reader, piece };
      if (size === Number.POSITIVE_INFINITY) return undefined;
      throw wrongSize(this.#digest, size, start);
    } catch (error) {
      await part.response.discard();
      throw error;
    }
  }

  /**
   * Checks that a part is of the same blob as the bytes before it, and that the registry does not restart it again and
   * again.
   */
  #assertSame(part: BlobPart, start: number, size: number): void {
    if (size !== Number.POSITIVE_INFINITY && (part.size ?? size) !== size) {
      const fault = `is of a blob of ${part.size} bytes, which had ${size} before`;
      throw this.#transport.wrongResponse(part.response, fault);
    }
    if (part.start < start && ++this.#restarts > maxRestarts) {
      throw this.#transport.wrongResponse(part.response, 'begins at the first byte each time');
    }
  }
}

function contentRangeIn({ headers }: ClientResponse): ContentRange | undefined {
  return parseContentRange(headers.get('content-range') ?? '');
}
