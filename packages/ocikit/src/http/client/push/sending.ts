import { HttpError, isRegistryError, RegistryError } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../../model/index.ts';
import { sleep } from '../../../transfer/index.ts';

import type { ChunkLimit } from './chunk-limit.ts';
import type { Payload } from './payload.ts';
import type { RequestBody } from '../transport/index.ts';
import { isBusy } from './upload-session.ts';
import type { UploadSession } from './upload-session.ts';

/** Bytes of a stream that are held in memory, so that they can be sent again. */
const heldChunk = 4 * 1024 * 1024;
/** As many, if the caller wants chunks of at most so many. */
const heldChunkAtMost = 16 * 1024 * 1024;

/**
 * Bytes of the first chunk after a cut. The registry may not have noticed the cut yet, or still be reading what had come: it then
 * refuses them, and no more than them has been sent in vain.
 */
const feeler = 64 * 1024;

/** How often an upload is asked again that another request still writes to: about a minute, after which servers give up on a connection. */
const maxBusy = 22;

/** How often an upload is asked again that is not where it has just said it was. */
const maxRefused = 5;

export interface SendingOptions {
  session: UploadSession;
  payload: Payload;
  limit: ChunkLimit;
  call: CallOptions;
  /** Where the caller says that the bytes belong. */
  at?: number | undefined;
  /** Bytes of the payload that are in the upload already, which then holds nothing else. */
  from?: number | undefined;
  /** Told how many bytes of the payload have gone so far; never fewer than before. */
  onBytes: (sent: number) => void;
  /** Told where it goes on after it was cut. */
  onResumed: (at: number) => void;
  /** Looks for the blob, in case that the answer to its last bytes was lost. */
  resolve: (digest: Digest) => Promise<Descriptor>;
}

type Outcome<T> = { value: T } | { error: unknown };

/** A payload on its way into an upload. When it is cut, the upload is asked how far it has come, and it goes on from there. */
export interface Sending {
  /** Sends all of it, in one request or in chunks. */
  append(): Promise<void>;
  /**
   * Sends what has not been sent yet, and ends the upload with it.
   *
   * @returns the blob's size; NaN if nobody knows
   */
  commit(digest: Digest): Promise<number>;
}

export function createSending(options: SendingOptions): Sending {
  const { session, payload, limit, call, at, from, onBytes, onResumed } = options;
  /** Bytes of the payload that the registry has. */
  let position = from ?? 0;
  /** Where in the upload the payload begins; NaN if nobody knows. */
  let base = (at ?? session.size) - position;
  let told = position;
  /** Bytes that have been handed on in the present request. */
  let handedOn = 0;
  let opened = 0;
  /** Nobody knows how much of the last request has arrived. */
  let unsure = false;
  /** The answer to a request was lost, or something may have been done before it was an error. Whoever began it may have been cut a moment ago. */
  let lost = position > 0;
  let feels = lost;
  let refusedAt: number | undefined;
  let busy = 0;
  let refused = 0;

  const left = (): number => (payload.size ?? Infinity) - position;
  const most = (): number => Math.max(limit.size, session.minimumChunk ?? 1);

  const tell = (sent: number): void => {
    if (sent <= told) return;
    told = sent;
    onBytes(sent);
  };

  async function* counted(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    const isWhole = payload.size === undefined;
    try {
      for await (const piece of pieces) {
        handedOn += piece.length;
        tell(position + handedOn);
        yield piece;
      }
    } catch (error) {
      // A body that may be of any length ends here: what came before is kept.
      if (!isWhole || payload.failure === undefined) throw error;
    }
  }

  /** The next so many bytes as a body, out of memory if they are there already. */
  const bodyOf = (length: number, bytes?: Uint8Array): RequestBody => {
    const start = position;
    const size = length === Infinity ? undefined : length;
    return {
      size,
      reopenable: bytes !== undefined || payload.reopenable,
      open() {
        const content = bytes ?? payload.open(start, size === undefined ? undefined : start + size);
        const isAtHand = content instanceof Uint8Array;
        opened++;
        handedOn = isAtHand ? content.length : 0;
        return isAtHand ? content : counted(content);
      },
    };
  };

  /** The body of the next request; undefined if there is nothing more. */
  const nextChunk = async (): Promise<RequestBody | undefined> => {
    // Where there is a least size, all chunks may have to be of one size.
    const felt = feels && session.minimumChunk === undefined ? feeler : Infinity;
    const length = Math.min(left(), most(), felt);
    const held = most() <= heldChunkAtMost ? most() : heldChunk;
    // Without a length it cannot say where it belongs, so that what is left of a request that was cut could get before it.
    const streamed = length === Infinity ? !lost : length > held;
    if (payload.inMemory || streamed) return bodyOf(length);
    const bytes = await payload.take(position, Math.min(length, held));
    return bytes.length === 0 ? undefined : bodyOf(bytes.length, bytes);
  };

  /** What the answer to a chunk says of how far the upload has come. */
  const moveOn = (): void => {
    const before = position;
    if (Number.isNaN(base)) base = session.size - handedOn;
    position = session.size - base;
    if (position > before ? position <= before + handedOn : position === before && handedOn === 0) return;
    throw new RegistryError(
      'BLOB_UPLOAD_INVALID',
      `the upload stands at byte ${session.size}, though ${handedOn} bytes were sent to byte ${base + before}`,
    );
  };

  const appendRest = async (progress: () => void): Promise<void> => {
    while (left() > 0) {
      const body = await nextChunk();
      if (body === undefined) break;
      unsure = true;
      opened = 0;
      handedOn = 0;
      await session.patch(body, base + position, call);
      if (Number.isNaN(session.size)) await session.ask(call);
      unsure = false;
      moveOn();
      feels = false;
      busy = 0;
      refused = 0;
      progress();
      tell(position);
      // It ended there, and the registry has what came before.
      if (payload.failure !== undefined) throw payload.failure.error;
    }
  };

  const commitRest = async (digest: Digest, progress: () => void): Promise<number> => {
    if (left() > most() || (feels && left() > feeler)) await appendRest(progress);
    const body = left() === 0 ? undefined : bodyOf(left());
    const says = at !== undefined || lost || base > 0;
    unsure = true;
    handedOn = 0;
    const size = await session.put(digest, body, says ? base + position : Number.NaN, call);
    unsure = false;
    tell(position + handedOn);
    return size ?? base + position + handedOn;
  };

  /** Asks how far the upload has come. @returns false if it cannot be gone on from there */
  const resync = async (progress: () => void): Promise<boolean> => {
    await session.ask(call, refusedAt);
    // Whether the registry can have nothing of it yet: then what is there is somebody else's, and it is appended to.
    const isUntouched = from === undefined && at === undefined && position === 0 && !lost && opened <= 1;
    if (refusedAt !== undefined && isUntouched) base = session.size;
    refusedAt = undefined;
    const found = payload.size === 0 ? 0 : session.size - base;
    if (!(found >= 0 && found <= (payload.size ?? Infinity))) return false;
    if (found !== payload.size && !payload.canOpen(found)) return false;
    unsure = false;
    feels = lost;
    if (found > position) progress();
    position = found;
    onResumed(session.size);
    return true;
  };

  /** What no other attempt makes better. The size is then still what the registry says, as far as it can be asked. */
  const isFinal = async (error: unknown): Promise<boolean> => {
    if (call.signal?.aborted === true) return true;
    const isElsewhere = isRegistryError(error, 'RANGE_INVALID') && at !== undefined && position === 0;
    const final = payload.failure !== undefined || (isElsewhere && !lost && opened <= 1);
    if (final && unsure) await session.ask(call).catch(() => undefined);
    return final;
  };

  /** @returns true if it is worth going on at once */
  const adapt = async (error: unknown, progress: () => void): Promise<boolean> => {
    if (error instanceof HttpError && error.status === 413) {
      if (!limit.shrink(Math.min(left(), most()), session.minimumChunk)) return false;
      progress();
      return true;
    }
    if (isRegistryError(error, 'RANGE_INVALID') && refused < maxRefused) {
      refusedAt = base + position;
      await pause(refused++, call);
      return true;
    }
    if (isBusy(error) && lost && unsure && busy < maxBusy) {
      await pause(busy++, call);
      return true;
    }
    lost ||= !(error instanceof HttpError) || error.status >= 500;
    return false;
  };

  const run = async <T>(step: (progress: () => void) => Promise<T>): Promise<T> => {
    let last: unknown;
    const outcome = await session.transport.attempt(call, async (_attempt, progress): Promise<Outcome<T>> => {
      for (;;) {
        if (unsure && !(await resync(progress))) return { error: last };
        try {
          return { value: await step(progress) };
        } catch (error) {
          last = error;
          if (await isFinal(error)) return { error: payload.failure?.error ?? error };
          if (!(await adapt(error, progress))) throw error;
        }
      }
    });
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };

  return {
    append: () => run(appendRest),
    async commit(digest) {
      try {
        return await run((progress) => commitRest(digest, progress));
      } catch (error) {
        // It ended with a request whose answer was lost.
        if (!lost || !isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN', 'NOT_FOUND')) throw error;
        const blob = await options.resolve(digest).catch(() => undefined);
        if (blob === undefined) throw error;
        return blob.size;
      }
    },
  };
}

/** Longer each time, up to 5 seconds. */
function pause(count: number, { signal }: CallOptions): Promise<void> {
  return sleep(Math.min(100 * 1.5 ** count, 5000), signal);
}
