import { parseDigest, RegistryError } from '../../../model/index.ts';
import type { AppendOptions, BlobSource, BlobUpload, CallOptions, Descriptor, Digest } from '../../../model/index.ts';

import { blobDescriptor } from '../shared/index.ts';
import type { ChunkLimit } from './chunk-limit.ts';
import { openPayload } from './payload.ts';
import type { Payload } from './payload.ts';
import { createSending } from './sending.ts';
import type { Sending } from './sending.ts';
import type { UploadSession } from './upload-session.ts';

export interface UploadParts {
  session: UploadSession;
  limit: ChunkLimit;
  resolve: (digest: Digest, call: CallOptions) => Promise<Descriptor>;
  /** Bytes that the upload had when this client last heard of it, for one that is gone on with without asking. */
  lastKnown?: number | undefined;
}

/**
 * An upload at a registry. Distribution specification, "Pushing a blob in chunks".
 *
 * Of a source of more than 1 MiB that ends with another size than announced, the registry keeps what came.
 */
export function clientUpload({ session, limit, resolve, lastKnown }: UploadParts): BlobUpload {
  const { repository } = session;
  let state: 'open' | 'busy' | 'ended' = 'open';

  /** Where the upload stands may have changed since it was last heard of, so the registry has the last word. */
  const assertAt = async ({ at, ...call }: AppendOptions): Promise<void> => {
    if (at === undefined || at === session.size || Number.isNaN(session.size)) return;
    await session.ask(call);
    const { size } = session;
    if (at === size) return;
    throw new RegistryError('RANGE_INVALID', `the upload stands at byte ${size}, not at ${at}`, { detail: { size } });
  };

  const alone = async <T>(
    source: BlobSource,
    options: AppendOptions,
    run: (payload: Payload, sending: () => Sending) => Promise<T>,
  ): Promise<T> => {
    const { at, size, signal, onEvent } = options;
    signal?.throwIfAborted();
    if (state === 'busy') throw new RegistryError('BLOB_UPLOAD_INVALID', 'another call is running');
    if (state === 'ended') throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'the upload has ended');
    state = 'busy';
    let payload: Payload | undefined;
    try {
      const opened = await openPayload(source, options);
      payload = opened;
      await assertAt(options);
      return await run(opened, () =>
        createSending({
          session,
          payload: opened,
          limit,
          call: options,
          at,
          onBytes: (transferred) => onEvent?.({ type: 'bytes', repository, size, transferred }),
          onResumed: (resumedAt) => onEvent?.({ type: 'resumed', repository, size, at: resumedAt }),
          resolve: (digest) => resolve(digest, options),
        }),
      );
    } finally {
      // Set by what the call has done meanwhile.
      if ((state as string) === 'busy') state = 'open';
      await payload?.close();
    }
  };

  return {
    get id() {
      return session.location.href;
    },
    get size() {
      return Number.isNaN(session.size) ? undefined : session.size;
    },
    get minimumChunk() {
      return session.minimumChunk;
    },
    append(source, options = {}) {
      return alone(source, options, async (payload, sending) => {
        await sending().append();
        if (payload.failure !== undefined) throw payload.failure.error;
        if (Number.isNaN(session.size)) await session.ask(options);
        lastKnown = session.size;
        return lastKnown;
      });
    },
    async commit(digest, options = {}) {
      const { source = new Uint8Array(), at, onEvent } = options;
      parseDigest(digest);
      return alone(source, options, async (payload, sending) => {
        if (payload.failure !== undefined) {
          // Who does not say where the bytes belong will send all of them again.
          if (at !== undefined) await sending().append();
          throw payload.failure.error;
        }
        let size = await sending().commit(digest);
        state = 'ended';
        if (Number.isNaN(size)) size = (lastKnown ?? Number.NaN) + (payload.size ?? Number.NaN);
        if (Number.isNaN(size)) ({ size } = await resolve(digest, options));
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
