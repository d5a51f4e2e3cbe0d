import {
  assertRepository,
  HttpError,
  isRegistryError,
  mediaTypes,
  parseDigest,
  splitDigest,
} from '../../model/index.ts';
import type { BlobIdentity, BlobSource, CallOptions, Descriptor, Digest } from '../../model/index.ts';

import { isSafe, urlIn } from './addresses.ts';
import type { ChunkLimit } from './chunk-limit.ts';
import { openPayload } from './payload.ts';
import type { Payload } from './payload.ts';
import { Sending } from './sending.ts';
import type { TransferStore } from './transfer-store.ts';
import type { Transport } from './transport.ts';
import type { UploadPlaces } from './upload-places.ts';
import { beginUpload, UploadSession } from './upload-session.ts';

/** From so many bytes on, a blob is sent so that it can go on from its byte after a cut: one request more. */
const large = 4 * 1024 * 1024;

/** Uploads in which a push is begun: sessions may be lost, and what an earlier process has sent may be wrong. */
const maxUploads = 3;

/** Milliseconds that giving up an upload may take. */
const cancelTimeout = 5000;

export interface BlobPusherParts {
  transport: Transport;
  places: UploadPlaces;
  limit: ChunkLimit;
  transfers: TransferStore | undefined;
  resolve: (repository: string, digest: Digest, call: CallOptions) => Promise<Descriptor>;
}

export type PushBlob = (
  repository: string,
  blob: BlobIdentity,
  source: BlobSource,
  call: CallOptions,
) => Promise<Descriptor>;

/**
 * Pushes whole blobs: POST and PUT, and for large ones PATCH in between. The POST is a cheap request, which finds out who may do
 * this before a source is sent that can be read only once. Distribution specification, "Pushing blobs".
 */
export function blobPusher(parts: BlobPusherParts): PushBlob {
  return async (repository, blob, source, call) => {
    const { digest, size } = blob;
    const { signal, onEvent } = call;
    signal?.throwIfAborted();
    assertRepository(repository);
    parseDigest(digest);
    onEvent?.({ type: 'started', repository, digest, size });
    const payload = await openPayload(source, { size, signal });
    try {
      if (payload.failure !== undefined) throw payload.failure.error;
      const stored = await new BlobPush(parts, repository, digest, payload, call).run();
      onEvent?.({ type: 'verified', repository, digest, size: stored });
      onEvent?.({ type: 'done', repository, digest, size: stored });
      return { mediaType: mediaTypes.octetStream, digest, size: stored };
    } finally {
      await payload.close();
    }
  };
}

class BlobPush {
  readonly #parts: BlobPusherParts;
  readonly #repository: string;
  readonly #digest: Digest;
  readonly #payload: Payload;
  readonly #call: CallOptions;
  /** What was sent before a cut, or by an earlier process, is part of it. */
  #resumed = false;

  constructor(parts: BlobPusherParts, repository: string, digest: Digest, payload: Payload, call: CallOptions) {
    this.#parts = parts;
    this.#repository = repository;
    this.#digest = digest;
    this.#payload = payload;
    this.#call = call;
  }

  async run(): Promise<number> {
    const { transfers, transport } = this.#parts;
    const { size } = this.#payload;
    if (transfers === undefined || size === undefined || size < large) return this.#push(undefined);
    const key = `upload ${transport.base.href} ${this.#repository} ${this.#digest}`;
    const holder = await transfers.openPartial(key);
    // Somebody else goes on with the upload that was left.
    if (holder === undefined) return this.#push(undefined);
    let done = false;
    try {
      const stored = await this.#push({
        read: () => transfers.note(key),
        write: (location) => transfers.setNote(key, location),
      });
      done = true;
      return stored;
    } finally {
      await (done ? holder.remove() : holder.close());
    }
  }

  async #push(note: Note | undefined): Promise<number> {
    let session = await this.#leftOver(note);
    for (let upload = 1; ; upload++) {
      session ??= await this.#begin(note);
      try {
        const size = await this.#send(session, note !== undefined);
        await note?.write(undefined);
        return size;
      } catch (error) {
        const goesOn = note !== undefined && mayPass(error, this.#call);
        if (!goesOn) {
          await note?.write(undefined);
          await this.#giveUp(session);
        }
        const spoilt =
          this.#resumed && isRegistryError(error, 'DIGEST_INVALID', 'RANGE_INVALID', 'BLOB_UPLOAD_INVALID');
        if (!(isLost(error) || spoilt) || upload === maxUploads || !this.#payload.canOpen(0)) throw error;
        this.#resumed = false;
        session = undefined;
      }
    }
  }

  async #begin(note: Note | undefined): Promise<UploadSession> {
    const { transport, places } = this.#parts;
    const { algorithm } = splitDigest(this.#digest);
    const query = { 'digest-algorithm': algorithm === 'sha256' ? undefined : algorithm };
    const answer = await beginUpload(transport, this.#repository, this.#call, { query, expect: [202] });
    const session = UploadSession.begun(transport, places, this.#repository, answer);
    await note?.write(session.location.href);
    return session;
  }

  /** An upload that an earlier process has begun, if it can be gone on with. */
  async #leftOver(note: Note | undefined): Promise<UploadSession | undefined> {
    const { transport, places } = this.#parts;
    const url = urlIn(await note?.read());
    if (url === undefined || !isSafe(url, transport.base)) return undefined;
    const session = new UploadSession(transport, places, this.#repository, url, Number.NaN);
    try {
      await session.ask(this.#call);
    } catch (error) {
      // It has ended, or the registry does not say how far it has come.
      if (isRegistryError(error) && error.status >= 400 && error.status < 500 && !mayPass(error, this.#call)) {
        return undefined;
      }
      throw error;
    }
    if (!(session.size > 0 && this.#payload.canOpen(session.size))) return undefined;
    if (session.size > (this.#payload.size ?? 0)) return undefined;
    this.#resumed = true;
    this.#onResumed(session.size);
    return session;
  }

  async #send(session: UploadSession, keeps: boolean): Promise<number> {
    const { limit, resolve } = this.#parts;
    const { onEvent } = this.#call;
    const repository = this.#repository;
    const digest = this.#digest;
    const payload = this.#payload;
    const { size } = payload;
    const sending = new Sending({
      session,
      payload,
      limit,
      call: this.#call,
      from: session.size,
      onBytes: (transferred) => onEvent?.({ type: 'bytes', repository, digest, size, transferred }),
      onResumed: (at) => {
        this.#resumed = true;
        this.#onResumed(at);
      },
      resolve: () => resolve(repository, digest, this.#call),
    });
    // What is large and can be sent again in part, or is of unknown length, which a PUT is not everywhere allowed to be.
    const inParts = size === undefined || (size >= large && (payload.reopenable || keeps));
    if (inParts) await sending.append();
    return sending.commit(digest);
  }

  #onResumed(at: number): void {
    const { onEvent } = this.#call;
    onEvent?.({ type: 'resumed', repository: this.#repository, digest: this.#digest, size: this.#payload.size, at });
  }

  /** A registry keeps what was sent for hours, and may allow only so many uploads. */
  async #giveUp(session: UploadSession): Promise<void> {
    const cancelled = session
      .cancel({ signal: AbortSignal.timeout(cancelTimeout) })
      // It is forgotten without our help, only later.
      .catch(() => undefined);
    // Who has ended the call does not wait.
    if (this.#call.signal?.aborted !== true) await cancelled;
  }
}

/** Where an upload that can be gone on with is noted. */
interface Note {
  read: () => Promise<string | undefined>;
  write: (location: string | undefined) => Promise<void>;
}

/** Whether what an upload holds is still good: its registry could not be reached, it had no time, or nobody wanted to wait. */
function mayPass(error: unknown, { signal }: CallOptions): boolean {
  if (signal?.aborted === true || !isRegistryError(error)) return true;
  return error.status >= 500 || [401, 408, 425, 429].includes(error.status);
}

/** Whether the upload is gone, or as good as gone because its registry does not say how far it has come. */
function isLost(error: unknown): boolean {
  if (isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN')) return true;
  return error instanceof HttpError && error.method === 'GET' && (error.status === 400 || error.status === 405);
}
