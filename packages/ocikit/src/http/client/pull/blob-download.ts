import {
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

import { blobDescriptor, loaded } from '../shared/index.ts';
import { KeptPart } from './saved-part.ts';
import type { ClientOptions } from '../shared/index.ts';
import { isWorthParallel, parallelOf } from './parallel.ts';
import { remoteBlob } from './remote-blob.ts';
import type { BlobPart } from './remote-blob.ts';
import type { Transport } from '../transport/index.ts';

/**
 * How blobs are read: what is whole is verified, what is cut is gone on with, and what is large and slow comes over several
 * connections.
 */
export function blobDownloads(transport: Transport, options: ClientOptions): Reader['getBlob'] {
  const readings: Readings = { count: 0 };
  return async (repository, digest, { range, verify = true, ...call } = {}) => {
    const link = linkSignal(call.signal);
    try {
      const download = blobDownload(transport, options, readings, repository, digest, call, link);
      const isWhole = range === undefined || ('start' in range && range.start === 0 && range.end === undefined);
      return await (isWhole ? download.openWhole(verify) : download.openPart(range));
    } catch (error) {
      link.unlink();
      throw error;
    }
  };
}

/** How many contents of one registry are being read. */
interface Readings {
  count: number;
}

interface BlobDownload {
  /** @param verify whether its digest is computed here */
  openWhole(verify: boolean): Promise<BlobContent>;
  openPart(range: ByteRange): Promise<BlobContent>;
}

/** One reading of a blob. */
function blobDownload(
  transport: Transport,
  options: ClientOptions,
  readings: Readings,
  repository: string,
  digest: Digest,
  given: CallOptions,
  link: LinkedSignal,
): BlobDownload {
  const { signal, onEvent } = given;
  const parallel = parallelOf(options.parallel);
  /** What its requests are made with: `cancel` ends them, as the caller's signal does. */
  const call: CallOptions = { ...given, signal: link.signal };
  const blob = remoteBlob(transport, repository, digest, call);

  /** Bytes of the whole blob, wherever that is said. */
  const sizeOf = async ({ answer, size }: BlobPart): Promise<number> => {
    try {
      return size ?? (await blob.askSize());
    } catch (error) {
      await answer.discard();
      throw error;
    }
  };

  const nothing = (range: ByteRange, size: number): BlobContent => {
    link.unlink();
    return createContent({ descriptor: blobDescriptor(digest, size), range, signal, source: { pieces: [] } });
  };

  /** @param verified whether all of it is read and compared with the digest */
  const contentOf = (
    range: ResolvedRange,
    size: number,
    first: BlobPart,
    kept: KeptPart,
    verified: boolean,
  ): BlobContent =>
    createContent({
      descriptor: blobDescriptor(digest, size),
      range,
      signal,
      source: {
        iterate: (_, how) => read(range, size, first, kept, verified, how),
        async cancel() {
          link.unlink();
          link.abort(new DOMException('the content was cancelled', 'AbortError'));
          await first.answer.discard();
          await kept.close();
        },
      },
    });

  async function* read(
    range: ResolvedRange,
    size: number,
    first: BlobPart,
    kept: KeptPart,
    verified: boolean,
    how: 'lent' | undefined,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const about = { repository, digest, size };
    readings.count += 1;
    try {
      onEvent?.({ type: 'started', ...about });
      if (kept.size > 0) onEvent?.({ type: 'resumed', ...about, at: kept.size });
      const pieces = piecesOf(range, size, first, kept, how);
      let transferred = 0;
      for await (const piece of verified ? new VerifyingReader(pieces, about) : pieces) {
        yield piece;
        transferred += piece.length;
        onEvent?.({ type: 'bytes', ...about, transferred });
      }
      await kept.remove();
      if (verified) onEvent?.({ type: 'verified', ...about });
      onEvent?.({ type: 'done', ...about });
    } catch (error) {
      // What is wrong would be wrong each time.
      if (isRegistryError(error, 'DIGEST_INVALID', 'SIZE_INVALID')) await kept.remove();
      transport.note(error, call);
      throw error;
    } finally {
      readings.count -= 1;
      link.unlink();
      await first.answer.discard();
      await kept.close();
    }
  }

  /** @param first an answer that begins with the range */
  const piecesAfter = async (
    first: BlobPart,
    range: ResolvedRange,
    size: number,
    how: 'lent' | undefined,
  ): Promise<AsyncIterable<Uint8Array>> => {
    if (parallel === undefined || !isWorthParallel(parallel, range, first)) return blob.pieces(range, size, first, how);
    const { piecesInParallel } = await loaded(import('./parallel-ranges.ts'), link.signal);
    return piecesInParallel(blob, range, size, first, {
      parallel,
      signal: link.signal,
      how,
      readings: () => readings.count,
    });
  };

  /** What was kept, and then what comes. */
  async function* piecesOf(
    { start, end }: ResolvedRange,
    size: number,
    first: BlobPart,
    kept: KeptPart,
    how: 'lent' | undefined,
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
      at === expected ? await piecesAfter(first, rest, size, how) : blob.pieces(rest, size, undefined, how);
    for await (const piece of coming) {
      await kept.append(piece);
      yield piece;
    }
  }

  const openWhole = async (verify: boolean): Promise<BlobContent> => {
    // Who may read a repository need not be allowed to read another one that has the blob as well.
    const key = `blob ${transport.base.href} ${repository} ${digest}`;
    const kept = new KeptPart(await options.transfers?.openPartial(key));
    try {
      const first = await blob.get(kept.size === 0 ? undefined : { start: kept.size });
      const size = await sizeOf(first);
      if (kept.size > size) {
        await first.answer.discard();
        await kept.remove();
        return await openWhole(verify);
      }
      // Of nothing there is nothing to read, so that nobody would find out later.
      const found = size === 0 ? digestOf(new Uint8Array(), splitDigest(digest).algorithm) : digest;
      if (found !== digest) throw wrongDigest(digest, found);
      return contentOf({ start: 0, end: size }, size, first, kept, verify);
    } catch (error) {
      await kept.close();
      throw error;
    }
  };

  return {
    openWhole,
    async openPart(range) {
      // What is malformed is so whatever the size.
      resolveRange(range, 0);
      if (formatRange(range) === undefined) return nothing(range, await blob.askSize());
      const first = await blob.get(range);
      const size = await sizeOf(first);
      const { start, end } = resolveRange(range, size);
      const isWhole = start === 0 && end === size;
      if (start < end) return contentOf({ start, end }, size, first, new KeptPart(undefined), isWhole);
      await first.answer.discard();
      return nothing(range, size);
    },
  };
}
