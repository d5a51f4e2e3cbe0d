// An upload that a caller fills step by step.
import { blobDescriptor, parseDigest, RegistryError } from '../../../model/index.ts';
import type { AppendOptions, BlobSource, BlobUpload, CallOptions, Descriptor, Digest } from '../../../model/index.ts';

import type { ChunkLimit } from './chunk-limit.ts';
import { openPayload } from './payload.ts';
import type { Payload } from './payload.ts';
import { Sending } from './sending.ts';
import { plus } from './upload-session.ts';
import type { UploadSession } from './upload-session.ts';

/** The parts of an upload. */
export interface UploadParts {
  /** The upload at the registry. */
  session: UploadSession;
  /** The largest request. */
  limit: ChunkLimit;
  /** Gets the descriptor of a blob. */
  resolve: (digest: Digest, call: CallOptions) => Promise<Descriptor>;
  /** Bytes that the upload had when this client last heard of it, for an upload that is resumed without asking. */
  lastKnown?: number | undefined;
}

/**
 * An upload at a registry. Distribution specification, "Pushing a blob in chunks".
 *
 * If a source of more than 1 MiB ends with another size than announced, the registry keeps the bytes that came.
 */
export function clientUpload({ session, limit, resolve, lastKnown }: UploadParts): BlobUpload {
  const { repository } = session;
  let state: 'open' | 'busy' | 'ended' = 'open';

  /** Another client may have moved the upload, so the registry is asked before a position is called wrong. */
  const assertAt = async ({ at, ...call }: AppendOptions): Promise<void> => {
    if (at === undefined || at === session.size || session.size === undefined) return;
    const size = await session.ask(call);
    if (at === size) return;
    throw new RegistryError('RANGE_INVALID', `the upload stands at byte ${size ?? '(unknown)'}, not at ${at}`, {
      detail: { size },
    });
  };

  const alone = async <T>(
    source: BlobSource,
    options: AppendOptions,
    run: (payload: Payload, sending: () => Sending) => Promise<T>,
  ): Promise<T> => {
    const { at, size, signal, onEvent } = options;
    signal?.throwIfAborted();
    if (state === 'busy')
      throw new RegistryError(
        'BLOB_UPLOAD_INVALID',
        `another call of this upload to ${repository} is running; wait for its end`,
      );
    if (state === 'ended')
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `the upload to ${repository} has ended; start a new one`);
    state = 'busy';
    let payload: Payload | undefined;
    try {
      const opened = await openPayload(source, options);
      payload = opened;
      await assertAt(options);
      const sending = (): Sending =>
        new Sending({
          session,
          payload: opened,
          limit,
          call: options,
          at,
          onBytes: (transferred) => onEvent?.({ type: 'bytes', repository, size, transferred }),
          onResumed: (resumedAt) => onEvent?.({ type: 'resumed', repository, size, at: resumedAt }),
          resolve: (digest) => resolve(digest, options),
        });
      return await run(opened, sending);
    } finally {
      // The call may have ended the upload meanwhile.
      if ((state as string) === 'busy') state = 'open';
      await payload?.close();
    }
  };

  return {
    get id() {
      return session.location.href;
    },
    get size() {
      return session.size;
    },
    get minimumChunk() {
      return session.minimumChunk;
    },
    append(source, options = {}) {
      return alone(source, options, async (payload, sending) => {
        await sending().append();
        if (payload.failure !== undefined) throw payload.failure.error;
        const stored = session.size ?? (await session.ask(options));
        if (stored === undefined) {
          throw new RegistryError(
            'UNKNOWN',
            `the registry does not say how many bytes the upload to ${repository} has`,
          );
        }
        lastKnown = stored;
        return stored;
      });
    },
    async commit(digest, options = {}) {
      const { source = new Uint8Array(), at, onEvent } = options;
      parseDigest(digest);
      return alone(source, options, async (payload, sending) => {
        if (payload.failure !== undefined) {
          // A caller that does not name a position will send all bytes again.
          if (at !== undefined) await sending().append();
          throw payload.failure.error;
        }
        const found = await sending().commit(digest);
        state = 'ended';
        const size = found ?? plus(lastKnown, payload.size) ?? (await resolve(digest, options)).size;
        onEvent?.({ type: 'verified', repository, digest, size });
        onEvent?.({ type: 'done', repository, digest, size });
        return blobDescriptor(digest, size);
      });
    },
    async close() {
      // Nothing is held between two requests.
    },
    async cancel(options = {}) {
      if (state === 'ended') return;
      await session.cancel(options);
      state = 'ended';
    },
    async [Symbol.asyncDispose]() {
      // See `close`.
    },
  };
}
