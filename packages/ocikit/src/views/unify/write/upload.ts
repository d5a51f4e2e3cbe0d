// An upload in several members that looks like one.
import {
  isRegistryError,
  parseDigest,
  readSource,
  RegistryError,
  resolveRange,
  sizeInDetail,
  wrongOffset,
} from '../../../model/index.ts';
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
} from '../../../model/index.ts';

import { askAll, assertStored, failuresIn, leastTemporary, outcomeOf, valuesIn } from '../members/index.ts';
import type { MemberAnswer, Member } from '../members/index.ts';
import { sendToAll } from './send-to-all.ts';
import type { Supplier } from './supplier.ts';
import type { UnifiedUploadIds } from './upload-ids.ts';

/** The parts that all uploads of a view share. */
export interface UploadParts {
  /** The members that are written to. */
  members: readonly Member[];
  /** The ids of the uploads. */
  ids: UnifiedUploadIds;
  /** Copies blobs to members that had no part in an upload. */
  supplier: Supplier;
}

/** The upload in one member. */
export interface Session {
  /** The member. */
  readonly member: Member;
  /**
   * Undefined if the member has the blob already, or has lost the upload. In the end such a member gets a copy of the
   * blob.
   */
  upload: BlobUpload | undefined;
  /** The upload's last id in the member, if the member has no upload now. */
  lastId: string | null;
}

type LiveSession = Session & { upload: BlobUpload };

/**
 * Sends the bytes that a member lacks. `ahead`: the bytes by which it is ahead of the member that is furthest behind.
 */
type SendRest<T> = (session: LiveSession, rest: BlobSource, call: AppendOptions, ahead: number) => Promise<T>;

/**
 * An upload in several members. Its size is that of the member that is furthest behind. When it continues, the other
 * members skip the bytes that they have already.
 */
export class UnifiedUpload implements BlobUpload {
  readonly read?: (range?: ByteRange) => BlobContent;
  readonly #parts: UploadParts;
  readonly #repository: string;
  readonly #key: string;
  readonly #sessions: readonly Session[];

  constructor(parts: UploadParts, repository: string, key: string, sessions: readonly Session[]) {
    this.#parts = parts;
    this.#repository = repository;
    this.#key = key;
    this.#sessions = sessions;
    if (this.#live.some(({ upload }) => upload.read !== undefined)) this.read = (range) => this.#read(range);
    parts.ids.remember(key, this.#ids);
  }

  get id(): string {
    return this.#parts.ids.format(this.#key, this.#ids);
  }

  get size(): number {
    const live = this.#live;
    return live.length === 0 ? 0 : Math.min(...live.map(positionOf));
  }

  get minimumChunk(): number | undefined {
    const minima = this.#live.flatMap(({ upload }) => upload.minimumChunk ?? []);
    return minima.length === 0 ? undefined : Math.max(...minima);
  }

  get #live(): LiveSession[] {
    return this.#sessions.filter((session): session is LiveSession => session.upload !== undefined);
  }

  get #ids(): (string | null)[] {
    return this.#sessions.map(({ upload, lastId }) => upload?.id ?? lastId);
  }

  append(source: BlobSource, options: AppendOptions = {}): Promise<number> {
    return this.#alone(options, async () => {
      const answers = await this.#send(source, options, ({ upload }, rest, call) => upload.append(rest, call));
      outcomeOf('appending to the upload', answers);
      return this.size;
    });
  }

  commit(digest: Digest, options: CommitOptions = {}): Promise<Descriptor> {
    return this.#alone(options, async () => {
      parseDigest(digest);
      const { source, onEvent } = options;
      if (source === undefined) this.#assertLevel();
      const answers = await this.#send(source ?? new Uint8Array(), options, async (session, rest, call, ahead) => {
        // Without `at`, a caller sends all bytes again if they were cut off, so do not pass a position on either.
        const at = options.at === undefined && ahead === 0 ? undefined : call.at;
        const last = source === undefined ? undefined : rest;
        return assertStored(await session.upload.commit(digest, { ...call, at, source: last }), digest);
      });
      const stored = valuesIn(answers).map(({ member }) => member);
      if (stored.length === 0) throw leastTemporary(failuresIn(answers));
      for (const session of this.#sessions) if (stored.includes(session.member)) end(session);
      const descriptor = outcomeOf('committing the upload', [
        ...answers,
        ...(await this.#supply(digest, stored, options)),
      ]);
      const { size } = descriptor;
      onEvent?.({ type: 'verified', repository: this.#repository, digest, size });
      onEvent?.({ type: 'done', repository: this.#repository, digest, size });
      return descriptor;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#live.map(({ upload }) => upload.close()));
  }

  async cancel(options: CallOptions = {}): Promise<void> {
    if (this.#live.length === 0) return;
    const live = this.#live;
    const release = this.#parts.ids.acquire(this.#key, this.#ids);
    try {
      const failures = failuresIn(
        await askAll(
          live.map(({ member }) => member),
          async (_member, i) => live[i]?.upload.cancel(options),
        ),
      );
      if (failures.length === 0) return this.#parts.ids.forget(this.#key);
      options.signal?.throwIfAborted();
      throw leastTemporary(failures);
    } finally {
      release();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read(range: ByteRange | undefined): BlobContent {
    const part = resolveRange(range, this.size);
    for (const { upload } of this.#live) {
      const content = upload.read?.(part);
      if (content !== undefined) return content;
    }
    throw uploadUnknown(this.#repository);
  }

  async #alone<T>({ signal }: CallOptions, act: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const { ids } = this.#parts;
    const release = ids.acquire(this.#key, this.#ids);
    try {
      if (this.#live.length === 0) throw uploadUnknown(this.#repository);
      return await act();
    } finally {
      release();
      if (this.#live.length === 0) ids.forget(this.#key);
      else ids.remember(this.#key, this.#ids);
    }
  }

  /** @throws RegistryError RANGE_INVALID if a member is behind: without further bytes it cannot catch up */
  #assertLevel(): void {
    const sizes = this.#live.map(positionOf);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    if (least !== most) throw wrongOffset(most, least);
  }

  /**
   * Sends each member the bytes that it lacks. A member that has lost the upload, or did not begin to read in time, is
   * left out from now on. In the end it gets a copy of the blob.
   */
  async #send<T>(source: BlobSource, options: AppendOptions, send: SendRest<T>): Promise<MemberAnswer<T>[]> {
    const live = this.#live;
    const stand = this.size;
    const { at, size } = options;
    if (at !== undefined && at !== stand) throw wrongOffset(at, stand);
    const { answers, late } = await sendToAll(
      live.map(({ member }) => member),
      source,
      options,
      async (_member, own, call, i) => {
        const session = live[i];
        if (session === undefined) throw uploadUnknown(this.#repository);
        const position = positionOf(session);
        const ahead = position - stand;
        const rest = ahead > 0 ? readAfter(own, ahead) : own;
        const left = size === undefined ? undefined : Math.max(size - ahead, 0);
        return send(session, rest, { ...call, at: position, size: left }, ahead);
      },
    );
    const isLost = (answer: MemberAnswer<T>): boolean =>
      'error' in answer && (late.has(answer.member) || isRegistryError(answer.error, 'BLOB_UPLOAD_UNKNOWN'));
    const kept = answers.filter((answer) => !isLost(answer));
    if (kept.length === 0) throw leastTemporary(failuresIn(answers));
    for (const session of live) {
      if (kept.some(({ member }) => member === session.member)) continue;
      if (late.has(session.member)) session.upload.cancel().catch(() => undefined);
      end(session);
    }
    this.#assertInPlace(kept, at ?? stand);
    return kept;
  }

  /** Replaces a member's RANGE_INVALID, which has the member's size, by one with the size of the whole upload. */
  #assertInPlace(answers: readonly MemberAnswer<unknown>[], at: number): void {
    const errors = failuresIn(answers).map(({ error }) => error);
    const sizes = errors.flatMap((error) =>
      isRegistryError(error, 'RANGE_INVALID') ? [sizeInDetail(error.detail)] : [],
    );
    if (sizes.length > 0) throw wrongOffset(at, Math.min(this.size, ...sizes.map((size) => size ?? Infinity)));
  }

  /** Copies the blob to the members that had no part in the upload. */
  #supply(digest: Digest, stored: readonly Member[], options: CallOptions): Promise<MemberAnswer<Descriptor>[]> {
    const lacking = this.#sessions.filter(({ member, upload }) => upload === undefined && !stored.includes(member));
    return askAll(
      lacking.map(({ member }) => member),
      (member) => this.#parts.supplier.blob(member, this.#repository, digest, options),
    );
  }
}

function end(session: Session): void {
  session.upload = undefined;
  session.lastId = null;
}

/** The source without its first `count` bytes. */
async function* readAfter(source: BlobSource, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = count;
  for await (const piece of readSource(source)) {
    if (piece.length > left) yield left === 0 ? piece : piece.subarray(left);
    left = Math.max(left - piece.length, 0);
  }
}

/** There is no such upload. */
export function uploadUnknown(repository: string): RegistryError {
  return new RegistryError(
    'BLOB_UPLOAD_UNKNOWN',
    `${repository} has no such upload, or the upload has ended: start a new one`,
  );
}

/** Bytes of the upload in one member. The size is known, as each member is asked for it when the upload is resumed. */
function positionOf({ upload }: LiveSession): number {
  return upload.size ?? 0;
}
