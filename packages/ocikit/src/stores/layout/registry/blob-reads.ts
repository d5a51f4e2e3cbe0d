// Reading the blobs of a layout: small ones at once or from memory, large ones from their files, verified if asked for.
import { closeSync, fstatSync } from 'node:fs';
import type { Stats } from 'node:fs';

import { isSameFile, mayChangeUnseen, RecentlyUsed, VerifiedFiles, verifiedSource } from '../../disk/index.ts';
import type { FileIdentity } from '../../disk/index.ts';
import { blobDescriptor, createContent, digestOf, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { BlobContent, ContentSource, Digest, GetBlobOptions } from '../../../model/index.ts';

import { openBlobFile, openBlobNow, readerOf, readOpened, statsOf } from '../files/index.ts';
import type { Warn } from '../files/index.ts';

/** Bytes. A blob up to this size is read on this thread, and may stay in memory. */
const small = 64 * 1024;
/** Bytes that an entry of the cache takes besides its blob. */
const overhead = 400;

/** A blob that a read found. */
export interface FoundBlob {
  /** Bytes. */
  size: number;
  /** The file as it is now; undefined if the bytes are in the journal. */
  stats: Stats | undefined;
}

/** A small blob in memory, with the identity of the file that it was read from. */
interface Kept {
  bytes: Uint8Array;
  identity: FileIdentity;
}

/** Options of {@link BlobReads}. */
export interface BlobReadsOptions {
  /** True if content is hashed when it is read and its file is not known to be intact. */
  verify: boolean;
  /** Bytes of small blobs that stay in memory. */
  memory: number;
  /** Called for damaged files. */
  warn: Warn;
}

/**
 * Reads the files of blobs. It keeps recently read small blobs in memory, and remembers the files that were verified.
 * Both count only for as long as a look at the file finds no change.
 */
export class BlobReads {
  /** The files that were compared with their digests. */
  readonly verified: VerifiedFiles = new VerifiedFiles();
  /** Blobs that were opened so far. */
  reads = 0;
  readonly #verify: boolean;
  readonly #warn: Warn;
  readonly #kept: RecentlyUsed<Kept>;
  #hasDamaged = false;

  constructor({ verify, memory, warn }: BlobReadsOptions) {
    this.#verify = verify;
    this.#warn = warn;
    this.#kept = new RecentlyUsed(memory);
  }

  /** True once a damaged file was found. Until then no file need be looked up. */
  get hasDamaged(): boolean {
    return this.#hasDamaged;
  }

  /** True if the file was found to have other bytes than its digest says, and has not changed since. */
  isDamaged(path: string, stats: FileIdentity | undefined): boolean {
    return stats !== undefined && this.verified.isDamaged(path, stats);
  }

  /**
   * Notes that a file was found to have other bytes than its digest says.
   *
   * @param identity the file that was read. Another one may have its name by now: the blob was pushed again
   */
  noteDamaged(path: string, identity: FileIdentity): void {
    const now = statsOf(path);
    if (now === undefined || !isSameFile(identity, now)) return;
    this.#warn('a blob is damaged: it counts as missing until it is pushed again', { file: path });
    this.verified.note(path, identity, false);
    this.#hasDamaged = true;
  }

  /** Notes that verified bytes were just written to the file. */
  noteWritten(path: string): void {
    if (!this.#verify) return;
    const stats = statsOf(path);
    if (stats !== undefined) this.verified.note(path, stats, true);
  }

  /** The content of a blob. It is lazy: an error occurs when it is read. */
  open(path: string, digest: Digest, { size, stats }: FoundBlob, { range, signal }: GetBlobOptions): BlobContent {
    this.reads++;
    const descriptor = blobDescriptor(digest, size);
    if (size > 0 && size <= small) {
      return createContent({ descriptor, range, signal, source: this.#small(path, digest, size, stats) });
    }
    if (!this.#verify || range !== undefined) {
      return createContent({ descriptor, range, signal, source: { open: (part) => readerOf(path, part) } });
    }
    const onDamage = (identity: FileIdentity): void => this.noteDamaged(path, identity);
    const file = { path, digest, size, known: this.verified, onDamage };
    return createContent({ descriptor, signal, source: verifiedSource(file, () => openBlobFile(path)) });
  }

  #small(path: string, digest: Digest, size: number, stats: Stats | undefined): ContentSource {
    const kept = this.#kept.get(path);
    if (kept !== undefined && stats !== undefined && isSameFile(kept.identity, stats)) return piecesOf(kept.bytes);
    try {
      return piecesOf(this.#read(path, digest, size));
    } catch (error) {
      return { open: () => Promise.reject(error) };
    }
  }

  #read(path: string, digest: Digest, size: number): Uint8Array {
    const file = openBlobNow(path);
    let bytes: Buffer;
    let stats: Stats;
    try {
      stats = fstatSync(file);
      bytes = readOpened(file, 0, size);
      if (this.#verify && !this.verified.isIntact(path, stats)) this.#compare(path, digest, stats, bytes);
    } finally {
      closeSync(file);
    }
    // The wrong number of bytes is reported when they are read.
    if (bytes.length === size && stats.size === size && !mayChangeUnseen(stats)) {
      this.#kept.set(path, { bytes, identity: identityIn(stats) }, size + path.length + overhead);
    }
    return bytes;
  }

  /** @throws RegistryError DIGEST_INVALID */
  #compare(path: string, digest: Digest, stats: Stats, bytes: Uint8Array): void {
    const found = digestOf(bytes, splitDigest(digest).algorithm);
    if (found === digest) {
      this.verified.note(path, stats, true);
      return;
    }
    this.noteDamaged(path, stats);
    throw wrongDigest(digest, found);
  }
}

function identityIn({ ino, size, mtimeMs, ctimeMs }: FileIdentity): FileIdentity {
  return { ino, size, mtimeMs, ctimeMs };
}

/** The bytes as a source. They may be kept here for the next reader. */
function piecesOf(bytes: Uint8Array): ContentSource {
  return { pieces: [bytes], areKept: true };
}
