import {
  defaultAlgorithm,
  mediaTypes,
  parseDigest,
  readSource,
  RegistryError,
  splitDigest,
  wrongDigest,
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

/** What uploads need of the store that they are for. */
export interface UploadBackend<Stage extends UploadStage = UploadStage> {
  readonly ids: UploadIdIssuer;
  stage(repository: string, id: string): Stage;
  /** An upload that an earlier process left. */
  restore?(repository: string, id: string): Promise<{ stage: Stage; size: number } | undefined>;
  /** Makes verified bytes a blob of the repository. */
  keep(repository: string, digest: Digest, size: number, stage: Stage, options: CallOptions): Promise<void>;
}

export interface UploadLimits {
  /** Uploads that hold bytes at the same time. */
  maxUploads: number;
  /** Milliseconds after which an upload that nobody goes on with is gone. */
  expiry: number;
}

/** An upload that holds bytes. */
interface Session {
  readonly id: string;
  readonly repository: string;
  readonly bytes: StagedBytes;
  busy: boolean;
  /** Milliseconds of the epoch, for whoever asks. */
  readonly createdAt: number;
  usedAt: number;
  /** When it was used last by a clock that nobody sets: one that jumps must not end an upload, or keep it. */
  pausedAt: number;
}

/** Ended ids that are remembered: an older one that is asked for looks like an upload without bytes, and no harm done. */
const rememberedEnded = 8192;

/** When there are as many uploads as there may be, one that has paused for so many milliseconds makes room. */
const longestPause = 60_000;

/** More than that, a timer fires at once. */
const longestTimeout = 2 ** 31 - 1;

/** The uploads of a registry. One that was started but holds no bytes exists only as its id. */
export class UploadSessions {
  readonly #backend: UploadBackend;
  readonly #limits: UploadLimits;
  /** In the order of their last use. */
  readonly #sessions = new Map<string, Session>();
  readonly #ended = new Recent<string, true>(rememberedEnded);
  /** When `performance.now()` was 0 by the clock, in milliseconds of the epoch; the earliest if that has jumped. */
  #origin = Date.now() - performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(backend: UploadBackend, limits: UploadLimits) {
    this.#backend = backend;
    this.#limits = limits;
  }

  /** True if the upload holds bytes, and this process knows it. */
  has(id: string): boolean {
    return this.#sessions.has(id);
  }

  /** Whose an upload is; undefined if it holds no bytes, or this process does not know it. */
  repositoryOf(id: string): string | undefined {
    return this.#sessions.get(id)?.repository;
  }

  get sessions(): Iterable<Readonly<Session>> {
    return this.#sessions.values();
  }

  start(repository: string, algorithm: string): BlobUpload {
    this.#assertRoom();
    this.#origin = Math.min(this.#origin, Date.now() - performance.now());
    return new SessionUpload(this, this.#backend, repository, this.#backend.ids.issue(repository, algorithm));
  }

  async resume(repository: string, id: string, offset: number | 'end' | undefined): Promise<BlobUpload> {
    if (this.find(repository, id) === undefined) await this.#restore(repository, id);
    const upload = new SessionUpload(this, this.#backend, repository, id);
    if (typeof offset === 'number') assertOffset(offset, upload.size);
    return upload;
  }

  async #restore(repository: string, id: string): Promise<void> {
    if (this.#backend.ids.check(repository, id)?.isFresh === true) return;
    const restored = await this.#backend.restore?.(repository, id);
    if (restored === undefined || this.#sessions.has(id) || this.#ended.get(id) === true) return;
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
   * The session of an id; undefined as long as it has no bytes.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN
   */
  find(repository: string, id: string): Session | undefined {
    const session = this.#sessions.get(id);
    if (session !== undefined && session.repository === repository) return session;
    const issued = this.#backend.ids.check(repository, id);
    if (issued === undefined || this.#ended.get(id) === true || issued.at + this.#limits.expiry < this.#earliestNow()) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `${repository} has no such upload, or it has ended`);
    }
    return undefined;
  }

  /**
   * An id says when it was issued by the clock as it was then, which may have jumped since. None that was issued just now
   * is too old; some live longer, which costs nothing, as they hold no bytes.
   */
  #earliestNow(): number {
    return this.#origin + performance.now();
  }

  /** The session of an id for somebody who is going to write; nobody else may until {@link release}. */
  acquire(repository: string, id: string, algorithm?: string): Session {
    let session = this.find(repository, id);
    if (session?.busy === true) {
      throw new RegistryError('BLOB_UPLOAD_INVALID', 'another request is writing to this upload');
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

  /** What the upload was begun for. */
  #algorithmOf(repository: string, id: string): string {
    return this.#backend.ids.check(repository, id)?.label ?? defaultAlgorithm;
  }

  /** @param acknowledged bytes that the upload goes back to if what came since cannot be kept */
  async release(session: Session, acknowledged: number): Promise<void> {
    const goesOn = this.#sessions.has(session.id) && session.bytes.size > 0;
    if (goesOn) this.#markUsed(session);
    else this.#sessions.delete(session.id);
    try {
      await (goesOn ? session.bytes.stage.release() : session.bytes.stage.discard());
    } catch (error) {
      if (goesOn) await session.bytes.truncate(acknowledged);
      if (session.bytes.size === 0) this.#sessions.delete(session.id);
      throw error;
    } finally {
      session.busy = false;
      this.#schedule();
    }
  }

  /** Deleted and set again, it is the one that was used last. */
  #markUsed(session: Session): void {
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    session.usedAt = Date.now();
    session.pausedAt = performance.now();
  }

  /** The upload is over: its id is unknown from now on. */
  end(id: string): void {
    this.#sessions.delete(id);
    this.#ended.set(id, true);
  }

  /** If there is no room, the upload that nobody has gone on with for longest makes some. */
  #assertRoom(): void {
    if (this.#sessions.size < this.#limits.maxUploads) return;
    const idle = [...this.#sessions.values()].find(({ busy }) => !busy);
    const wait = idle === undefined ? longestPause : idle.pausedAt + longestPause - performance.now();
    if (idle === undefined || wait > 0) {
      throw new RegistryError('TOOMANYREQUESTS', `${this.#limits.maxUploads} uploads are under way already`, {
        retryAfter: Math.ceil(wait / 1000),
      });
    }
    this.end(idle.id);
    idle.bytes.stage.discard().catch(() => undefined);
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
    // Where timers keep a process running, this one should not.
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
      // Nobody waits for it, and a file that could not be removed is not in anybody's way.
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
      if (options.source !== undefined) await appendLast(session, options.source, options);
      else if (options.at !== undefined) assertOffset(options.at, before);
      const found = await session.bytes.digest(algorithm);
      if (found !== digest) {
        await session.bytes.truncate(before);
        throw wrongDigest(digest, found);
      }
      const descriptor = await this.#keep(session, digest, options).catch(async (error: unknown) => {
        // Whoever was not told that they are here sends them again.
        if (session.bytes.size !== before) await session.bytes.truncate(before).catch(() => this.#uploads.end(this.id));
        throw error;
      });
      this.#committed = true;
      this.#uploads.end(this.id);
      return descriptor;
    } finally {
      await this.#uploads.release(session, before);
    }
  }

  async #keep({ bytes: { size, stage } }: Session, digest: Digest, options: CommitOptions): Promise<Descriptor> {
    const repository = this.#repository;
    options.onEvent?.({ type: 'verified', repository, digest, size });
    await this.#backend.keep(repository, digest, size, stage, options);
    options.onEvent?.({ type: 'done', repository, digest, size });
    return { mediaType: mediaTypes.octetStream, digest, size };
  }

  async close(): Promise<void> {
    // Nothing is held between two calls.
  }

  async cancel(): Promise<void> {
    if (this.#committed) return;
    let session: Session | undefined;
    try {
      session = this.#uploads.find(this.#repository, this.id);
    } catch {
      return; // It has ended already.
    }
    if (session?.busy === true) {
      throw new RegistryError('BLOB_UPLOAD_INVALID', 'another request is writing to this upload');
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
  const read = readSource(source, options.signal);
  const pieces = options.onEvent === undefined ? read : reportBytes(read, repository, {}, options.onEvent);
  for await (const piece of pieces) {
    if (expected !== undefined && session.bytes.size + piece.length > before + expected) {
      await session.bytes.truncate(before);
      throw new RegistryError('SIZE_INVALID', `more than the ${expected} bytes came that were announced`);
    }
    await (append?.(piece) ?? bytes.append(piece, before));
  }
  if (expected !== undefined && session.bytes.size !== before + expected) {
    const found = session.bytes.size - before;
    await session.bytes.truncate(before);
    throw new RegistryError('SIZE_INVALID', `${expected} bytes were announced, ${found} came`);
  }
}

/** Who does not say where the bytes belong sends all of them again if they were cut off. */
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
