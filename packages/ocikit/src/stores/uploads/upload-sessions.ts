// The uploads of a store, from their start to the commit or their expiry.
import {
  blobDescriptor,
  defaultAlgorithm,
  digestOf,
  parseDigest,
  readSource,
  RegistryError,
  splitDigest,
  uploadUnknown,
  untilAborted,
  wrongDigest,
  wrongSize,
} from '../../model/index.ts';
import type {
  AppendOptions,
  BlobContent,
  BlobSource,
  BlobUpload,
  ByteRange,
  CallOptions,
  CommitOptions,
  Descriptor,
  Digest,
  UploadIdIssuer,
} from '../../model/index.ts';
import { MemoryStage } from '../blobs/index.ts';
import { assertOffset, Recent, reportBytes } from '../repository/index.ts';

import { StagedBytes } from './staged-bytes.ts';
import type { UploadStage } from './staged-bytes.ts';

/** The part of a store that its uploads need. */
export interface UploadBackend<Stage extends UploadStage = UploadStage> {
  /** Issues and checks the ids of uploads. */
  readonly ids: UploadIdIssuer;
  /** Starts collecting the bytes of an upload. */
  stage(repository: string, id: string): Stage;
  /** Finds the bytes of an upload from an earlier process. */
  restore?(repository: string, id: string): Promise<{ stage: Stage; size: number } | undefined>;
  /**
   * Stores verified bytes that came in one piece as a blob of the repository, without a stage. Returns undefined if
   * they need one. Default: they always do.
   */
  keepWhole?(repository: string, digest: Digest, bytes: Uint8Array): Promise<void> | undefined;
  /** Stores verified bytes as a blob of the repository. */
  keep(repository: string, digest: Digest, size: number, stage: Stage, options: CallOptions): Promise<void>;
}

/** The limits of a store's uploads. */
export interface UploadLimits {
  /** The greatest number of uploads with bytes. */
  maxUploads: number;
  /** Milliseconds after which an unused upload is discarded. */
  expiry: number;
}

/** An upload with bytes. */
interface Session {
  readonly id: string;
  readonly repository: string;
  readonly bytes: StagedBytes;
  /** True while a call writes to it. */
  busy: boolean;
  /** When it got its first bytes, in milliseconds since 1970. */
  readonly createdAt: number;
  /** When it was last used, in milliseconds since 1970. */
  usedAt: number;
  /** When it was last used by `performance.now()`: expiry must not depend on changes of the system's clock. */
  pausedAt: number;
}

/** The number of ended ids to remember. An older ended id looks like an upload without bytes, which is harmless. */
const rememberedEnded = 8192;

/** When the limit of uploads is reached, one that has not been used for this many milliseconds is discarded. */
const longestPause = 60_000;
/** As {@link longestPause}, for an upload with one byte among many uploads. It grows with the bytes. */
const shortestPause = 1000;
/** Bytes for which an upload among many is kept a second longer: they take about that long to send again. */
const bytesPerSecond = 64 * 1024;
/** Bytes. A larger body goes through a stage, which hashes and writes it in steps. */
const mostWhole = 64 * 1024;
/** From this limit on, many clients use the store: one of them must not lock the others out. */
const manyUploads = 16;

/** The longest delay of a timer in milliseconds. With a longer one, it would fire at once. */
const longestTimeout = 2 ** 31 - 1;

/** The uploads of a store. An upload without bytes exists only as its id, and takes no memory. */
export class UploadSessions {
  readonly #backend: UploadBackend;
  readonly #limits: UploadLimits;
  /** The uploads with bytes, by id, in the order of their last use. */
  readonly #sessions = new Map<string, Session>();
  /** The blobs that ended uploads became; empty for an upload that was cancelled or discarded. */
  readonly #ended = new Recent<string, { digest: Digest | undefined }>(rememberedEnded);
  /** The clock's time at `performance.now()` 0, in milliseconds since 1970; the earliest value if the clock jumped. */
  #origin = Date.now() - performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(backend: UploadBackend, limits: UploadLimits) {
    this.#backend = backend;
    this.#limits = limits;
  }

  /** True if this process knows the upload and it has bytes. */
  has(id: string): boolean {
    return this.#sessions.has(id);
  }

  /** The repository of an upload; undefined if this process does not know it, or it has no bytes. */
  repositoryOf(id: string): string | undefined {
    return this.#sessions.get(id)?.repository;
  }

  /** The uploads with bytes. */
  get sessions(): Iterable<Readonly<Session>> {
    return this.#sessions.values();
  }

  /**
   * Starts an upload.
   *
   * @throws RegistryError TOOMANYREQUESTS
   */
  start(repository: string, algorithm: string): BlobUpload {
    this.#assertRoom();
    this.#origin = Math.min(this.#origin, Date.now() - performance.now());
    return new SessionUpload(this, this.#backend, repository, this.#backend.ids.issue(repository, algorithm));
  }

  /**
   * Resumes an upload, also one of an earlier process.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN; RANGE_INVALID if the upload's size is not `offset`
   */
  async resume(repository: string, id: string, offset: number | 'end' | undefined): Promise<BlobUpload> {
    if (this.find(repository, id) === undefined) await this.#restore(repository, id);
    const upload = new SessionUpload(this, this.#backend, repository, id);
    if (typeof offset === 'number') assertOffset(offset, upload.size);
    return upload;
  }

  async #restore(repository: string, id: string): Promise<void> {
    if (this.#backend.ids.check(repository, id)?.isFresh === true) return;
    const restored = await this.#backend.restore?.(repository, id);
    if (restored === undefined || this.#sessions.has(id) || this.#ended.get(id) !== undefined) return;
    const now = Date.now();
    const { stage, size } = restored;
    this.#sessions.set(id, {
      id,
      repository,
      bytes: new StagedBytes(stage, this.#algorithmOf(repository, id), size),
      busy: false,
      createdAt: now,
      usedAt: now,
      pausedAt: performance.now(),
    });
    this.#schedule();
  }

  /**
   * The session of an upload; undefined if the id is valid but the upload has no bytes.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN
   */
  find(repository: string, id: string): Session | undefined {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.repository === repository) return session;
    const issued = this.#backend.ids.check(repository, id);
    if (issued === undefined) throw uploadUnknown(repository);
    const ended = this.#ended.get(id);
    if (ended !== undefined || issued.at + this.#limits.expiry < this.#earliestNow()) {
      throw uploadUnknown(repository, ended?.digest);
    }
    return undefined;
  }

  /**
   * The present time, for comparing it with the times of issue in ids. If the clock jumped, its earliest reading
   * counts, so that no new id looks expired. Some ids then live longer, which costs nothing: they have no bytes.
   */
  #earliestNow(): number {
    return this.#origin + performance.now();
  }

  /**
   * The session of an upload, for writing. No other call may write to it until {@link release}.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN; BLOB_UPLOAD_INVALID if another call writes to it; TOOMANYREQUESTS
   */
  acquire(repository: string, id: string, algorithm?: string): Session {
    let session = this.find(repository, id);
    if (session?.busy === true) {
      throw new RegistryError(
        'BLOB_UPLOAD_INVALID',
        'another request is writing to this upload: wait until it has ended',
      );
    }
    if (session === undefined) {
      this.#assertRoom();
      const now = Date.now();
      session = {
        id,
        repository,
        bytes: new StagedBytes(this.#backend.stage(repository, id), algorithm ?? this.#algorithmOf(repository, id)),
        busy: true,
        createdAt: now,
        usedAt: now,
        pausedAt: performance.now(),
      };
    }
    session.busy = true;
    this.#sessions.set(id, session);
    return session;
  }

  /** The digest algorithm that the upload was started with. */
  #algorithmOf(repository: string, id: string): string {
    return this.#backend.ids.check(repository, id)?.label ?? defaultAlgorithm;
  }

  /**
   * Ends a write.
   *
   * @param acknowledged the size to go back to if the new bytes cannot be made durable
   */
  async release(session: Session, acknowledged: number): Promise<void> {
    const isAlive = this.#sessions.has(session.id) && session.bytes.size > 0;
    if (isAlive) this.#markUsed(session);
    else this.#sessions.delete(session.id);
    try {
      await (isAlive ? session.bytes.stage.release() : session.bytes.stage.discard());
    } catch (error) {
      if (isAlive) await session.bytes.truncate(acknowledged);
      if (session.bytes.size === 0) this.#sessions.delete(session.id);
      throw error;
    } finally {
      session.busy = false;
      this.#schedule();
    }
  }

  /** Moves the session to the end of the map, which is ordered by last use. */
  #markUsed(session: Session): void {
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    session.usedAt = Date.now();
    session.pausedAt = performance.now();
  }

  /**
   * Ends an upload. Its id is unknown from now on.
   *
   * @param digest the blob that it became
   */
  end(id: string, digest?: Digest): void {
    this.#sessions.delete(id);
    this.#ended.set(id, { digest });
  }

  /** If the limit of uploads is reached, discards one that pauses for too long, or throws TOOMANYREQUESTS. */
  #assertRoom(): void {
    if (this.#sessions.size < this.#limits.maxUploads) return;
    let wait = longestPause;
    for (const session of this.#sessions.values()) {
      if (session.busy) continue;
      const left = session.pausedAt + this.#longestPause(session) - performance.now();
      if (left <= 0) {
        this.end(session.id);
        session.bytes.stage.discard().catch(() => undefined);
        return;
      }
      wait = Math.min(wait, left);
    }
    throw new RegistryError(
      'TOOMANYREQUESTS',
      `${this.#limits.maxUploads} uploads are in progress, which is the limit: try again later`,
      { retryAfter: Math.ceil(wait / 1000) },
    );
  }

  /** Milliseconds that an upload may pause while there is no room for others. Few bytes are soon sent again. */
  #longestPause({ bytes }: Session): number {
    if (this.#limits.maxUploads < manyUploads) return longestPause;
    return Math.min(shortestPause + (bytes.size / bytesPerSecond) * 1000, longestPause);
  }

  #schedule(): void {
    const [oldest] = this.#sessions.values();
    if (this.#timer !== undefined || oldest === undefined) return;
    const wait = Math.min(Math.max(oldest.pausedAt + this.#limits.expiry - performance.now(), 0) + 1, longestTimeout);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#expire();
      this.#schedule();
    }, wait);
    // This timer must not keep the process running. In browsers, a timer is a number and has no unref().
    if (typeof this.#timer === 'object') this.#timer.unref();
  }

  #expire(): void {
    const now = performance.now();
    for (const session of this.#sessions.values()) {
      if (session.pausedAt + this.#limits.expiry > now) return;
      if (session.busy) {
        this.#markUsed(session);
        continue;
      }
      this.end(session.id);
      // No caller waits for this, and a file that cannot be removed does no harm.
      session.bytes.stage.discard().catch(() => undefined);
    }
  }
}

class SessionUpload implements BlobUpload {
  readonly id: string;
  readonly #uploads: UploadSessions;
  readonly #backend: UploadBackend;
  readonly #repository: string;
  #committed = false;

  constructor(uploads: UploadSessions, backend: UploadBackend, repository: string, id: string) {
    this.#uploads = uploads;
    this.#backend = backend;
    this.#repository = repository;
    this.id = id;
  }

  get size(): number {
    return this.#committed ? 0 : (this.#uploads.find(this.#repository, this.id)?.bytes.size ?? 0);
  }

  async append(source: BlobSource, options: AppendOptions = {}): Promise<number> {
    options.signal?.throwIfAborted();
    const session = this.#uploads.acquire(this.#repository, this.id);
    const before = session.bytes.size;
    try {
      await appendTo(session, source, options);
      return session.bytes.size;
    } finally {
      await this.#uploads.release(session, before);
    }
  }

  async commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    options.signal?.throwIfAborted();
    const { algorithm } = splitDigest(parseDigest(digest));
    const session = this.#uploads.acquire(this.#repository, this.id, algorithm);
    const before = session.bytes.size;
    try {
      const kept = before === 0 ? this.#keepWhole(digest, options) : undefined;
      if (kept !== undefined) {
        const descriptor = await kept;
        this.#committed = true;
        this.#uploads.end(this.id, digest);
        return descriptor;
      }
      if (options.source !== undefined) await appendLast(session, options.source, options);
      else if (options.at !== undefined) assertOffset(options.at, before);
      const found = await session.bytes.digest(algorithm);
      if (found !== digest) {
        await session.bytes.truncate(before);
        throw wrongDigest(digest, found);
      }
      const descriptor = await this.#keep(session, digest, options).catch(async (error: unknown) => {
        // The client gets no acknowledgement of these bytes, so it will send them again.
        if (session.bytes.size !== before) await session.bytes.truncate(before).catch(() => this.#uploads.end(this.id));
        throw error;
      });
      this.#committed = true;
      this.#uploads.end(this.id, digest);
      return descriptor;
    } finally {
      await this.#uploads.release(session, before);
    }
  }

  /** Commits an upload whose bytes come in one piece; undefined if that is not possible. */
  #keepWhole(digest: Digest, { source, size, at, onEvent }: CommitOptions): Promise<Descriptor> | undefined {
    const backend = this.#backend;
    if (backend.keepWhole === undefined || !(source instanceof Uint8Array) || onEvent !== undefined) return undefined;
    if (source.length > mostWhole) return undefined;
    if (at !== undefined) assertOffset(at, 0);
    if (size !== undefined && size !== source.length) throw wrongSize(undefined, size, source.length);
    const found = digestOf(source, splitDigest(digest).algorithm);
    if (found !== digest) throw wrongDigest(digest, found);
    const descriptor = blobDescriptor(digest, source.length);
    return backend.keepWhole(this.#repository, digest, source)?.then(() => descriptor);
  }

  async #keep({ bytes: { size, stage } }: Session, digest: Digest, options: CommitOptions): Promise<Descriptor> {
    const repository = this.#repository;
    options.onEvent?.({ type: 'verified', repository, digest, size });
    await this.#backend.keep(repository, digest, size, stage, options);
    options.onEvent?.({ type: 'done', repository, digest, size });
    return blobDescriptor(digest, size);
  }

  async close(): Promise<void> {
    // An upload holds no resources between two calls.
  }

  async cancel(): Promise<void> {
    if (this.#committed) return;
    let session: Session | undefined;
    try {
      session = this.#uploads.find(this.#repository, this.id);
    } catch {
      return; // The upload has ended already.
    }
    if (session?.busy === true) {
      throw new RegistryError(
        'BLOB_UPLOAD_INVALID',
        'another request is writing to this upload: wait until it has ended',
      );
    }
    this.#uploads.end(this.id);
    await session?.bytes.stage.discard();
  }

  read(range?: ByteRange): BlobContent {
    const session = this.#uploads.find(this.#repository, this.id);
    return (session?.bytes.stage ?? new MemoryStage(() => undefined)).read(session?.bytes.size ?? 0, range);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

async function appendTo(
  session: Session,
  source: BlobSource,
  options: AppendOptions,
  append?: (piece: Uint8Array) => Promise<void>,
): Promise<void> {
  const { bytes, repository } = session;
  const before = bytes.size;
  if (options.at !== undefined) assertOffset(options.at, before);
  const expected = options.size;
  const isLent = bytes.stage.takesShared === true && isLending(source);
  const read = isLent ? untilAborted(source.lent(), options.signal) : readSource(source, options.signal);
  const pieces = options.onEvent === undefined ? read : reportBytes(read, repository, {}, options.onEvent);
  for await (const piece of pieces) {
    if (expected !== undefined && session.bytes.size + piece.length > before + expected) {
      const found = session.bytes.size - before + piece.length;
      await session.bytes.truncate(before);
      throw wrongSize(undefined, expected, found);
    }
    await (append?.(piece) ?? bytes.append(piece, before));
  }
  if (expected !== undefined && session.bytes.size !== before + expected) {
    const found = session.bytes.size - before;
    await session.bytes.truncate(before);
    throw wrongSize(undefined, expected, found);
  }
}

/** True for content, and for a request's body: they reuse the memory of their pieces if their reader allows it. */
function isLending(source: BlobSource): source is BlobSource & Pick<BlobContent, 'lent'> {
  return 'lent' in source;
}

/** Appends the last bytes. After a failure, drops them if `at` is not given: the client will send all of them again. */
async function appendLast(session: Session, source: BlobSource, options: AppendOptions): Promise<void> {
  const { bytes } = session;
  const before = bytes.size;
  const append = (piece: Uint8Array): Promise<void> => {
    const isOnly = bytes.size === 0 && piece.length === options.size;
    return isOnly ? bytes.appendOnly(piece) : bytes.append(piece, before);
  };
  try {
    await appendTo(session, source, options, append);
  } catch (error) {
    if (options.at === undefined) await session.bytes.truncate(before);
    throw error;
  }
}
