// A payload pushed as a blob: in one request, or in chunks that can be resumed.
import { HttpError, isRegistryError, splitDigest } from '../../../model/index.ts';
import type { CallOptions, Digest } from '../../../model/index.ts';

import { isClientError, isSafe, urlIn } from '../shared/index.ts';
import type { Payload } from './payload.ts';
import { Sending } from './sending.ts';
import { stateOf } from './pushing-parts.ts';
import type { PushingParts } from './pushing-parts.ts';
import { beginUpload, UploadSession } from './upload-session.ts';

/** Bytes from which on a blob is sent so that it can be resumed after a cut; that takes one more request. */
const large = 4 * 1024 * 1024;

/** Uploads that one push may begin: a session may be lost, and bytes of an earlier process may be wrong. */
const maxUploads = 3;

/** Milliseconds that the cancelling of an upload may take. */
const cancelTimeout = 5000;

/** A payload that is to become a blob. */
export interface PushedPayload {
  /** The repository that stores it. */
  repository: string;
  /** The digest that it has to have. */
  digest: Digest;
  /** The bytes. */
  payload: Payload;
  /** The call that the requests belong to. */
  call: CallOptions;
}

/**
 * Pushes a payload by POST and PUT, with PATCH in between for a large one. The POST is a cheap request: it is
 * authorized before a source is sent that can be read only once. Large uploads are noted, so that another process can
 * resume them. Distribution specification, "Pushing blobs".
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
  // Another holder is resuming the noted upload.
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
  parts: PushingParts,
  { repository, digest, payload, call }: PushedPayload,
  note: Note | undefined,
): Promise<number> {
  const { transport, resolve } = parts;
  const { places, limit } = stateOf(parts);
  /** Whether the upload has bytes from before a cut, or from an earlier process. */
  const state = { resumed: false };
  const onResumed = (at: number): void => {
    state.resumed = true;
    call.onEvent?.({ type: 'resumed', repository, digest, size: payload.size, at });
  };

  const begin = async (): Promise<UploadSession> => {
    const { algorithm } = splitDigest(digest);
    const query = { 'digest-algorithm': algorithm === 'sha256' ? undefined : algorithm };
    const response = await beginUpload(transport, repository, call, { query, expect: [202] });
    const session = UploadSession.begun(transport, places, repository, response);
    await note?.write(session.location.href);
    return session;
  };

  /** The upload that an earlier process has begun, if it can be resumed. */
  const resumed = async (): Promise<UploadSession | undefined> => {
    const url = urlIn(await note?.read());
    if (url === undefined || !isSafe(url, transport.base)) return undefined;
    const session = new UploadSession(transport, places, repository, url, undefined);
    let size: number | undefined;
    try {
      size = await session.ask(call);
    } catch (error) {
      // The upload has ended, or the registry does not say its size.
      if (isClientError(error) && !mayPass(error, call)) return undefined;
      throw error;
    }
    if (size === undefined || !(size > 0 && size <= (payload.size ?? 0) && payload.canOpen(size))) return undefined;
    onResumed(size);
    return session;
  };

  const send = async (session: UploadSession): Promise<number> => {
    const { size } = payload;
    const sending = new Sending({
      session,
      payload,
      limit,
      call,
      from: session.size,
      onBytes: (transferred) => call.onEvent?.({ type: 'bytes', repository, digest, size, transferred }),
      onResumed,
      resolve: () => resolve(repository, digest, call),
    });
    // In chunks if it is large and can be resumed. Also if its size is unknown: not every registry takes such a PUT.
    const inParts = size === undefined || (size >= large && (payload.reopenable || note !== undefined));
    if (inParts) await sending.append();
    return (await sending.commit(digest)) ?? (await resolve(repository, digest, call)).size;
  };

  let session = await resumed();
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

/** Cancels an upload: a registry keeps its bytes for hours, and may allow only a few uploads. */
async function giveUp(session: UploadSession, { signal }: CallOptions): Promise<void> {
  const cancelled = session
    .cancel({ signal: AbortSignal.timeout(cancelTimeout) })
    // The registry discards the upload by itself, only later.
    .catch(() => undefined);
  // A caller that has ended the call does not wait.
  if (signal?.aborted !== true) await cancelled;
}

/** The note of an upload, so that it can be resumed. */
interface Note {
  read: () => Promise<string | undefined>;
  write: (location: string | undefined) => Promise<void>;
}

/**
 * Whether the upload may still be resumed after an error: the registry could not be reached, it was busy, or the
 * caller has ended the call.
 */
function mayPass(error: unknown, { signal }: CallOptions): boolean {
  if (signal?.aborted === true || !isRegistryError(error)) return true;
  return error.status >= 500 || [401, 408, 425, 429].includes(error.status);
}

/** Whether the upload is gone, or of no use because the registry does not say its size. */
function isLost(error: unknown): boolean {
  if (isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN')) return true;
  return error instanceof HttpError && error.method === 'GET' && (error.status === 400 || error.status === 405);
}
