import { mediaTypes, parseDigest, RegistryError } from '../../model/index.ts';
import type {
  AppendOptions,
  BlobSource,
  BlobUpload,
  CallOptions,
  CommitOptions,
  Descriptor,
  Digest,
} from '../../model/index.ts';

import type { ChunkLimit } from './chunk-limit.ts';
import { openPayload } from './payload.ts';
import type { Payload } from './payload.ts';
import { Sending } from './sending.ts';
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
export class ClientUpload implements BlobUpload {
  readonly #parts: UploadParts;
  readonly #session: UploadSession;
  #state: 'open' | 'busy' | 'ended' = 'open';
  #lastKnown: number | undefined;

  constructor(parts: UploadParts) {
    this.#parts = parts;
    this.#session = parts.session;
    this.#lastKnown = parts.lastKnown;
  }

  get id(): string {
    return this.#session.location.href;
  }

  get size(): number {
    return this.#session.size;
  }

  get minimumChunk(): number | undefined {
    return this.#session.minimumChunk;
  }

  append(source: BlobSource, options: AppendOptions = {}): Promise<number> {
    return this.#alone(source, options, async (payload, sending) => {
      await this.#assertAt(options);
      await sending().append();
      if (payload.failure !== undefined) throw payload.failure.error;
      if (Number.isNaN(this.size)) await this.#session.ask(options);
      this.#lastKnown = this.size;
      return this.size;
    });
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    const { source = new Uint8Array(), at, onEvent } = options;
    return this.#alone(source, options, async (payload, sending) => {
      parseDigest(digest);
      await this.#assertAt(options);
      if (payload.failure !== undefined) {
        // Who does not say where the bytes belong will send all of them again.
        if (at !== undefined) await sending().append();
        throw payload.failure.error;
      }
      const committed = await sending().commit(digest);
      this.#state = 'ended';
      const size = Number.isNaN(committed) ? await this.#sizeOf(digest, payload, options) : committed;
      const { repository } = this.#session;
      onEvent?.({ type: 'verified', repository, digest, size });
      onEvent?.({ type: 'done', repository, digest, size });
      return { mediaType: mediaTypes.octetStream, digest, size };
    });
  }

  async close(): Promise<void> {
    // Nothing is held between two requests.
  }

  async cancel(options: CallOptions = {}): Promise<void> {
    if (this.#state === 'ended') return;
    await this.#session.cancel(options);
    this.#state = 'ended';
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #alone<T>(
    source: BlobSource,
    options: AppendOptions,
    call: (payload: Payload, sending: () => Sending) => Promise<T>,
  ): Promise<T> {
    options.signal?.throwIfAborted();
    if (this.#state === 'busy') throw new RegistryError('BLOB_UPLOAD_INVALID', 'another call is running');
    if (this.#state === 'ended') throw new RegistryError('BLOB_UPLOAD_UNKNOWN', 'the upload has ended');
    this.#state = 'busy';
    let payload: Payload | undefined;
    try {
      payload = await openPayload(source, options);
      const opened = payload;
      return await call(opened, () => this.#sending(opened, options));
    } finally {
      // Set by what the call has done meanwhile.
      if ((this.#state as string) === 'busy') this.#state = 'open';
      await payload?.close();
    }
  }

  #sending(payload: Payload, options: AppendOptions): Sending {
    const { limit, resolve } = this.#parts;
    const { at, size, onEvent } = options;
    const { repository } = this.#session;
    return new Sending({
      session: this.#session,
      payload,
      limit,
      call: options,
      at,
      onBytes: (transferred) => onEvent?.({ type: 'bytes', repository, size, transferred }),
      onResumed: (resumedAt) => onEvent?.({ type: 'resumed', repository, size, at: resumedAt }),
      resolve: (digest) => resolve(digest, options),
    });
  }

  /** Where the upload stands may have changed since it was last heard of, so the registry has the last word. */
  async #assertAt({ at, ...call }: AppendOptions): Promise<void> {
    const { size } = this.#session;
    if (at === undefined || at === size || Number.isNaN(size)) return;
    await this.#session.ask(call);
    if (this.size !== at) {
      throw new RegistryError('RANGE_INVALID', `the upload stands at byte ${this.size}, not at ${at}`, {
        detail: { size: this.size },
      });
    }
  }

  async #sizeOf(digest: Digest, payload: Payload, call: CallOptions): Promise<number> {
    if (this.#lastKnown !== undefined && payload.size !== undefined) return this.#lastKnown + payload.size;
    return (await this.#parts.resolve(digest, call)).size;
  }
}
