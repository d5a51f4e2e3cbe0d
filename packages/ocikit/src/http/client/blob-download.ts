import {
  createContent,
  digestOf,
  isRegistryError,
  linkSignal,
  resolveRange,
  splitDigest,
  VerifyingReader,
  wrongDigest,
} from '../../model/index.ts';
import type {
  BlobContent,
  ByteRange,
  CallOptions,
  Descriptor,
  Digest,
  LinkedSignal,
  Reader,
  ResolvedRange,
} from '../../model/index.ts';
import { formatRange } from '../wire/index.ts';

import { KeptPart } from './kept-part.ts';
import type { ClientOptions } from './options.ts';
import { parallelOf, piecesInParallel } from './ranges.ts';
import type { Parallel } from './ranges.ts';
import { RemoteBlob } from './remote-blob.ts';
import type { BlobPart } from './remote-blob.ts';
import type { TransferStore } from './transfer-store.ts';
import type { Transport } from './transport.ts';

/**
 * How blobs are read: what is whole is verified, what is cut is gone on with, and what is large and slow comes over several
 * connections.
 */
export function blobDownloads(transport: Transport, options: ClientOptions): Reader['getBlob'] {
  const parallel = parallelOf(options.parallel);
  return async (repository, digest, { range, ...call } = {}) => {
    const link = linkSignal(call.signal);
    try {
      const download = new BlobDownload(transport, repository, digest, call, link, parallel);
      return await download.open(range, options.transfers);
    } catch (error) {
      link.unlink();
      throw error;
    }
  };
}

/** One reading of a blob. */
class BlobDownload {
  readonly #transport: Transport;
  readonly #repository: string;
  readonly #digest: Digest;
  readonly #blob: RemoteBlob;
  /** What its requests are made with: `cancel` ends them, as the caller's signal does. */
  readonly #call: CallOptions;
  readonly #signal: AbortSignal | undefined;
  readonly #link: LinkedSignal;
  readonly #parallel: Parallel | undefined;

  constructor(
    transport: Transport,
    repository: string,
    digest: Digest,
    call: CallOptions,
    link: LinkedSignal,
    parallel: Parallel | undefined,
  ) {
    this.#transport = transport;
    this.#repository = repository;
    this.#digest = digest;
    this.#call = { ...call, signal: link.signal };
    this.#blob = new RemoteBlob(transport, repository, digest, this.#call);
    this.#signal = call.signal;
    this.#link = link;
    this.#parallel = parallel;
  }

  async open(range: ByteRange | undefined, transfers: TransferStore | undefined): Promise<BlobContent> {
    if (range === undefined || ('start' in range && range.start === 0 && range.end === undefined)) {
      return this.#openWhole(transfers);
    }
    // What is malformed is so whatever the size.
    resolveRange(range, 0);
    if (formatRange(range) === undefined) return this.#openNothing(await this.#blob.describe(), range);
    const first = await this.#blob.get(range);
    const size = await this.#sizeOf(first);
    const { start, end } = resolveRange(range, size);
    if (start === end) {
      await first.answer.discard();
      return this.#openNothing(this.#blob.descriptorOf(size), range);
    }
    return this.#content({ start, end }, size, first, new KeptPart(undefined));
  }

  async #openWhole(transfers: TransferStore | undefined): Promise<BlobContent> {
    // Who may read a repository need not be allowed to read another one that has the blob as well.
    const key = `blob ${this.#transport.base.href} ${this.#repository} ${this.#digest}`;
    const kept = new KeptPart(await transfers?.openPartial(key));
    try {
      const first = await this.#blob.get(kept.size === 0 ? undefined : { start: kept.size });
      const size = await this.#sizeOf(first);
      if (kept.size > size) {
        await first.answer.discard();
        await kept.remove();
        return await this.#openWhole(transfers);
      }
      // Of nothing there is nothing to read, so that nobody would find out later.
      if (size === 0) this.#assertDigestOfNothing();
      return this.#content({ start: 0, end: size }, size, first, kept);
    } catch (error) {
      await kept.close();
      throw error;
    }
  }

  async #sizeOf(first: BlobPart): Promise<number> {
    try {
      return await this.#blob.sizeOf(first);
    } catch (error) {
      await first.answer.discard();
      throw error;
    }
  }

  #assertDigestOfNothing(): void {
    const digest = digestOf(new Uint8Array(), splitDigest(this.#digest).algorithm);
    if (digest === this.#digest) return;
    const error = wrongDigest(this.#digest, digest);
    this.#transport.note(error, this.#call);
    throw error;
  }

  #openNothing(descriptor: Descriptor, range: ByteRange): BlobContent {
    this.#link.unlink();
    return createContent({ descriptor, range, signal: this.#signal, source: { pieces: [] } });
  }

  #content(range: ResolvedRange, size: number, first: BlobPart, kept: KeptPart): BlobContent {
    return createContent({
      descriptor: this.#blob.descriptorOf(size),
      range,
      signal: this.#signal,
      source: {
        iterate: () => this.#read(range, size, first, kept),
        cancel: async () => {
          this.#link.unlink();
          this.#link.abort(new DOMException('the content was cancelled', 'AbortError'));
          await first.answer.discard();
          await kept.close();
        },
      },
    });
  }

  async *#read(
    range: ResolvedRange,
    size: number,
    first: BlobPart,
    kept: KeptPart,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { onEvent } = this.#call;
    const about = { repository: this.#repository, digest: this.#digest, size };
    const isWhole = range.start === 0 && range.end === size;
    try {
      onEvent?.({ type: 'started', ...about });
      if (kept.size > 0) onEvent?.({ type: 'resumed', ...about, at: kept.size });
      const pieces = this.#pieces(range, size, first, kept);
      let transferred = 0;
      for await (const piece of isWhole ? new VerifyingReader(pieces, about) : pieces) {
        yield piece;
        transferred += piece.length;
        onEvent?.({ type: 'bytes', ...about, transferred });
      }
      await kept.remove();
      if (isWhole) onEvent?.({ type: 'verified', ...about });
      onEvent?.({ type: 'done', ...about });
    } catch (error) {
      // What is wrong would be wrong each time.
      if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID')) await kept.remove();
      this.#transport.note(error, this.#call);
      throw error;
    } finally {
      this.#link.unlink();
      await first.answer.discard();
      await kept.close();
    }
  }

  /** What was kept, and then what comes. */
  async *#pieces(
    { start, end }: ResolvedRange,
    size: number,
    first: BlobPart,
    kept: KeptPart,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let at = start;
    const expected = start + kept.size;
    for await (const piece of kept.read()) {
      at += piece.length;
      yield piece;
    }
    if (at !== expected) await first.answer.discard();
    const rest = { start: at, end };
    const coming =
      at !== expected || this.#parallel === undefined
        ? this.#blob.pieces(rest, size, at === expected ? first : undefined)
        : piecesInParallel(this.#blob, rest, size, first, this.#parallel, this.#call.signal);
    for await (const piece of coming) {
      await kept.append(piece);
      yield piece;
    }
  }
}
