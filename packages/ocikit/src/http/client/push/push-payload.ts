import { HttpError, isRegistryError, splitDigest } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../../model/index.ts';

import { isClientError, isSafe, urlIn } from '../shared/index.ts';
import type { ChunkLimit } from './chunk-limit.ts';
import type { Payload } from './payload.ts';
import { createSending } from './sending.ts';
import type { TransferStore } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';
import type { UploadPlaces } from './upload-places.ts';
import { beginUpload, UploadSession } from './upload-session.ts';

/** From so many bytes on, a blob is sent so that it can go on from its byte after a cut: one request more. */
const large = 4 * 1024 * 1024;

/** Uploads in which a push is begun: sessions may be lost, and what an earlier process has sent may be wrong. */
const maxUploads = 3;

/** Milliseconds that giving up an upload may take. */
const cancelTimeout = 5000;

export interface PushingParts {
  transport: Transport;
  places: UploadPlaces;
  limit: ChunkLimit;
  transfers: TransferStore | undefined;
  resolve: (repository: string, digest: Digest, call: CallOptions) => Promise<Descriptor>;
}

export interface PushedPayload {
  repository: string;
  digest: Digest;
  payload: Payload;
  call: CallOptions;
}

/**
 * POST and PUT, and for large payloads PATCH in between. The POST is a cheap request, which finds out who may do this before a source is
 * sent that can be read only once. What is worth it is noted, so that another process can go on. Distribution specification,
 * "Pushing blobs".
 *
 * @returns the size of the blob
 */
export async function pushPayload(parts: PushingParts, pushed: PushedPayload): Promise<number> {
  const { transfers, transport } = parts;
  const { repository, digest, payload } = pushed;
  const { size } = payload;
  if (transfers === undefined || size === undefined || size < large) return sendPayload(parts, pushed, undefined);
  const key = `upload ${transport.base.href} ${repository} ${digest}`;
  const holder = await transfers.openPartial(key);
  // Somebody else goes on with the upload that was left.
  if (holder === undefined) return sendPayload(parts, pushed, undefined);
  let done = false;
  try {
    const stored = await sendPayload(parts, pushed, {
      read: () => transfers.note(key),
      write: (location) => transfers.setNote(key, location),
    });
    done = true;
    return stored;
  } finally {
    await (done ? holder.remove() : holder.close());
  }
}

/** @returns the size of the blob */
async function sendPayload(
  { transport, places, limit, resolve }: PushingParts,
  { repository, digest, payload, call }: PushedPayload,
  note: Note | undefined,
): Promise<number> {
  /** What was sent before a cut, or by an earlier process, is part of it. */
  const state = { resumed: false };
  const onResumed = (at: number): void => {
    state.resumed = true;
    call.onEvent?.({ type: 'resumed', repository, digest, size: payload.size, at });
  };

  const begin = async (): Promise<UploadSession> => {
    const { algorithm } = splitDigest(digest);
    const query = { 'digest-algorithm': algorithm === 'sha256' ? undefined : algorithm };
    const answer = await beginUpload(transport, repository, call, { query, expect: [202] });
    const session = UploadSession.begun(transport, places, repository, answer);
    await note?.write(session.location.href);
    return session;
  };

  /** An upload that an earlier process has begun, if it can be gone on with. */
  const leftOver = async (): Promise<UploadSession | undefined> => {
    const url = urlIn(await note?.read());
    if (url === undefined || !isSafe(url, transport.base)) return undefined;
    const session = new UploadSession(transport, places, repository, url, Number.NaN);
    try {
      await session.ask(call);
    } catch (error) {
      // It has ended, or the registry does not say how far it has come.
      if (isClientError(error) && !mayPass(error, call)) return undefined;
      throw error;
    }
    if (!(session.size > 0 && session.size <= (payload.size ?? 0) && payload.canOpen(session.size))) return undefined;
    onResumed(session.size);
    return session;
  };

  const send = async (session: UploadSession): Promise<number> => {
    const { size } = payload;
    const sending = createSending({
      session,
      payload,
      limit,
      call,
      from: session.size,
      onBytes: (transferred) => call.onEvent?.({ type: 'bytes', repository, digest, size, transferred }),
      onResumed,
      resolve: () => resolve(repository, digest, call),
    });
    // What is large and can be sent again in part, or is of unknown length, which a PUT is not everywhere allowed to be.
    const inParts = size === undefined || (size >= large && (payload.reopenable || note !== undefined));
    if (inParts) await sending.append();
    return sending.commit(digest);
  };

  let session = await leftOver();
  for (let upload = 1; ; upload++) {
    session ??= await begin();
    try {
      const stored = await send(session);
      await note?.write(undefined);
      return stored;
    } catch (error) {
      if (note === undefined || !mayPass(error, call)) {
        await note?.write(undefined);
        await giveUp(session, call);
      }
      const spoilt = state.resumed && isRegistryError(error, 'DIGEST_INVALID', 'RANGE_INVALID', 'BLOB_UPLOAD_INVALID');
      if (!(isLost(error) || spoilt) || upload === maxUploads || !payload.canOpen(0)) throw error;
      state.resumed = false;
      session = undefined;
    }
  }
}

/** A registry keeps what was sent for hours, and may allow only so many uploads. */
async function giveUp(session: UploadSession, { signal }: CallOptions): Promise<void> {
  const cancelled = session
    .cancel({ signal: AbortSignal.timeout(cancelTimeout) })
    // It is forgotten without our help, only later.
    .catch(() => undefined);
  // Who has ended the call does not wait.
  if (signal?.aborted !== true) await cancelled;
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
