// Reading a blob: verified, resumed after a cut, and over several connections if it is large and they help.
import {
  blobDescriptor,
  createContent,
  digestOf,
  isRegistryError,
  linkSignal,
  resolveRange,
  splitDigest,
  VerifyingReader,
  wrongDigest,
} from '../../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  Digest,
  LinkedSignal,
  Reader,
  ResolvedRange,
} from '../../../model/index.ts';
import { formatRange } from '../../wire/index.ts';
import { loadPart } from '../shared/index.ts';
import type { ClientOptions, TransferStore } from '../shared/index.ts';
import type { ClientCall, Transport } from '../transport/index.ts';

import type { BlobPart } from './blob-part.ts';
import { isWorthParallel, parallelOf } from './parallel.ts';
import type { Parallel } from './parallel.ts';
import { RemoteBlob } from './remote-blob.ts';
import { SavedPart } from './saved-part.ts';

/**
 * Reads blobs: a whole blob is verified, a cut one is resumed, and a large one that comes slowly is fetched over
 * several connections.
 */
export function blobDownloads(transport: Transport, options: ClientOptions): Reader['getBlob'] {
  const registry: DownloadingRegistry = {
    transport,
    parallel: parallelOf(options.parallel),
    transfers: options.transfers,
    readings: 0,
  };
  return async (repository, digest, { range, ranges, verify = true, size, ...call } = {}) => {
    const link = linkSignal(call.signal);
    try {
      const own = { call, link, known: size };
      const download = new BlobDownload(registry, repository, digest, own);
      if (ranges !== undefined) {
        const { openParts } = await loadPart(import('./ranges.ts'), link.signal);
        return await openParts(transport, repository, digest, ranges, own);
      }
      const isWhole = range === undefined || ('start' in range && range.start === 0 && range.end === undefined);
      return await (isWhole ? download.openWhole(verify) : download.openPart(range));
    } catch (error) {
      link.unlink();
      throw error;
    }
  };
}

/** The state that all downloads from one registry share. */
interface DownloadingRegistry {
  readonly transport: Transport;
  readonly parallel: Parallel | undefined;
  readonly transfers: TransferStore | undefined;
  /** The number of contents that are being read. */
  readings: number;
}

/** The call of a download. */
interface DownloadCall {
  /** The caller's options. */
  readonly call: CallOptions;
  /** The signal of its requests: `cancel` ends them, as the caller's own signal does. */
  readonly link: LinkedSignal;
  /** Bytes of the whole blob, if the caller knows them. */
  readonly known: number | undefined;
}

/** A content that was opened: its first response has come, its bytes have not been read. */
interface OpenedBlob {
  readonly range: ResolvedRange;
  /** Bytes of the whole blob; `Infinity`: they are counted while they come. */
  readonly size: number;
  /** The response that continues after the saved part. */
  readonly first: BlobPart;
  /** The bytes of the range that an earlier process has saved. */
  readonly saved: SavedPart;
  /** Whether the bytes are compared with the digest. */
  readonly isVerified: boolean;
}

/** One download of a blob. */
class BlobDownload {
  readonly #registry: DownloadingRegistry;
  readonly #repository: string;
  readonly #digest: Digest;
  /** The caller's options. */
  readonly #given: CallOptions;
  readonly #link: LinkedSignal;
  /** The options of its requests. */
  readonly #call: ClientCall;
  readonly #blob: RemoteBlob;
  readonly #known: number | undefined;

  constructor(registry: DownloadingRegistry, repository: string, digest: Digest, { call, link, known }: DownloadCall) {
    this.#registry = registry;
    this.#repository = repository;
    this.#digest = digest;
    this.#given = call;
    this.#link = link;
    this.#call = { ...call, signal: link.signal };
    this.#known = known;
    this.#blob = new RemoteBlob(registry.transport, repository, digest, this.#call, known);
  }

  /** @param verify whether the bytes are compared with the digest here */
  async openWhole(verify: boolean): Promise<BlobContent> {
    const { transport, transfers } = this.#registry;
    // The key names the repository: a caller that may read one repository need not be allowed to read another one with
    // the same blob.
    const key = `blob ${transport.base.href} ${this.#repository} ${this.#digest}`;
    const saved = new SavedPart(await transfers?.openPartial(key));
    try {
      const first = await this.#blob.get(saved.size === 0 ? undefined : { start: saved.size });
      const size = first.size ?? this.#known ?? Number.POSITIVE_INFINITY;
      if (saved.size > size) {
        await first.response.discard();
        await saved.remove();
        return await this.openWhole(verify);
      }
      if (size === 0) {
        // An empty blob is never read, so its digest is checked when it is opened.
        const found = digestOf(new Uint8Array(), splitDigest(this.#digest).algorithm);
        if (found !== this.#digest) throw wrongDigest(this.#digest, found);
      }
      return this.#contentOf({ range: { start: 0, end: size }, size, first, saved, isVerified: verify });
    } catch (error) {
      await saved.close();
      throw error;
    }
  }

  async openPart(range: ByteRange): Promise<BlobContent> {
    // A malformed range throws here, before a request is sent; the size does not matter for that.
    resolveRange(range, 0);
    if (formatRange(range) === undefined) return this.#nothing(range, await this.#blob.askSize());
    const first = await this.#blob.get(range);
    let size = first.size ?? this.#known;
    try {
      size ??= await this.#blob.askSize();
    } catch (error) {
      await first.response.discard();
      throw error;
    }
    const { start, end } = resolveRange(range, size);
    if (start === end) {
      await first.response.discard();
      return this.#nothing(range, size);
    }
    const isVerified = start === 0 && end === size;
    return this.#contentOf({ range: { start, end }, size, first, saved: new SavedPart(undefined), isVerified });
  }

  /** A content without bytes. */
  #nothing(range: ByteRange, size: number): BlobContent {
    const { signal } = this.#given;
    this.#link.unlink();
    return createContent({
      descriptor: blobDescriptor(this.#digest, size),
      range,
      signal,
      source: { pieces: [] },
    });
  }

  #contentOf(opened: OpenedBlob): BlobContent {
    const { range, size, first, saved } = opened;
    // Once the caller has the content, its bytes are fetched wherever they are.
    this.#call.redirects = undefined;
    return createContent({
      descriptor: blobDescriptor(this.#digest, size),
      range: size === Number.POSITIVE_INFINITY ? undefined : range,
      signal: this.#given.signal,
      source: {
        iterate: (_, how) => this.#read(opened, how),
        cancel: async () => {
          this.#link.unlink();
          this.#link.abort(new DOMException('the content was cancelled', 'AbortError'));
          await first.response.discard();
          await saved.close();
        },
      },
    });
  }

  /** The bytes, verified and reported. */
  async *#read(opened: OpenedBlob, how: 'lent' | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const { size, first, saved, isVerified } = opened;
    const { onEvent } = this.#given;
    const known = size === Number.POSITIVE_INFINITY ? undefined : size;
    const about = { repository: this.#repository, digest: this.#digest, size: known };
    this.#registry.readings += 1;
    try {
      onEvent?.({ type: 'started', ...about });
      if (saved.size > 0) onEvent?.({ type: 'resumed', ...about, at: saved.size });
      const pieces = this.#pieces(opened, how);
      let transferred = 0;
      for await (const piece of isVerified ? new VerifyingReader(pieces, about) : pieces) {
        yield piece;
        transferred += piece.length;
        onEvent?.({ type: 'bytes', ...about, transferred });
      }
      await saved.remove();
      if (isVerified) onEvent?.({ type: 'verified', ...about });
      onEvent?.({ type: 'done', ...about });
    } catch (error) {
      // Wrong bytes would be wrong each time.
      if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID')) await saved.remove();
      this.#registry.transport.note(error, this.#call);
      throw error;
    } finally {
      this.#registry.readings -= 1;
      this.#link.unlink();
      await first.response.discard();
      await saved.close();
    }
  }

  /** The saved bytes, and then those that are fetched. */
  async *#pieces(opened: OpenedBlob, how: 'lent' | undefined): AsyncGenerator<Uint8Array, void, undefined> {
    const { range, first, saved } = opened;
    let at = range.start;
    const expected = range.start + saved.size;
    for await (const piece of saved.read()) {
      at += piece.length;
      yield piece;
    }
    // If not all saved bytes could be read, the first response begins too late.
    if (at !== expected) await first.response.discard();
    const rest = { start: at, end: range.end };
    for await (const piece of await this.#fetched(rest, opened.size, at === expected ? first : undefined, how)) {
      await saved.append(piece);
      yield piece;
    }
  }

  /** The bytes of a range, over one connection or several. @param first a response that begins with the range */
  async #fetched(
    range: ResolvedRange,
    size: number,
    first: BlobPart | undefined,
    how: 'lent' | undefined,
  ): Promise<AsyncIterable<Uint8Array>> {
    const { parallel } = this.#registry;
    if (parallel === undefined || first === undefined || !isWorthParallel(parallel, range, first)) {
      return this.#blob.pieces(range, size, first, how);
    }
    const { piecesInParallel } = await loadPart(import('./parallel-ranges.ts'), this.#link.signal);
    return piecesInParallel(this.#blob, range, size, first, {
      parallel,
      signal: this.#link.signal,
      how,
      readings: () => this.#registry.readings,
    });
  }
}
