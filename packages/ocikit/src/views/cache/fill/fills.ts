// The running downloads of a cache, and the bytes of the interrupted ones.
import { abortable } from '../../../transfer/index.ts';
import {
  createContent,
  createPartsContent,
  RegistryError,
  resolveRange,
  splitDigest,
  verifiesPushes,
} from '../../../model/index.ts';
import type {
  BlobContent,
  BlobUpload,
  Descriptor,
  Digest,
  GetBlobOptions,
  Registry,
  ResolvedRange,
} from '../../../model/index.ts';

import { ExpiringMap, later } from '../shared/index.ts';
import { Fill, heldBack } from './fill.ts';
import type { FillOutcome } from './fill.ts';
import { follow } from './follower.ts';
import type { CacheEventType, CacheSettings } from '../shared/index.ts';
import { isOutage, isUnknown, placeKey } from '../upstream/index.ts';
import type { Place } from '../upstream/index.ts';

/** Interrupted downloads whose bytes are kept for the next reader. */
const maxPaused = 32;
/** Milliseconds for which a download waits for its next reader: some clients read a blob in several parts. */
const linger = 3000;
/** Milliseconds for which a store that failed to take a blob does not get it again. */
const unkeepableFor = 30_000;
/** Milliseconds for which wrong content of an upstream is remembered. */
const wrongFor = 5 * 60_000;
/** Milliseconds, the longest wait before an upstream that sent wrong content is asked again. */
const longestWait = 60_000;

interface Paused {
  upload: BlobUpload;
  /** Bytes of the whole blob. */
  size: number;
}

interface Wrongs {
  count: number;
  notBefore: number;
}

/** Called with a blob that the store has taken. The size is in bytes. */
export type OnKeptBlob = (place: Place, digest: Digest, size: number) => void;

/** The running downloads: one for each blob, for any number of readers. */
export class Fills {
  readonly #store: Registry;
  readonly #settings: CacheSettings;
  readonly #onKept: OnKeptBlob;
  readonly #fills = new Map<string, Promise<Fill | undefined>>();
  readonly #followers = new Map<Fill, number>();
  readonly #paused = new Map<string, Paused>();
  readonly #unkeepable = new ExpiringMap<true>();
  readonly #wrongs = new ExpiringMap<Wrongs>();
  /** The work after the end of downloads. */
  readonly #endings = new Set<Promise<void>>();
  readonly #closing = new AbortController();

  constructor(store: Registry, settings: CacheSettings, onKept: OnKeptBlob) {
    this.#store = store;
    this.#settings = settings;
    this.#onKept = onKept;
  }

  /** Whether a download of the blob is running. */
  has(place: Place, digest: Digest): boolean {
    return this.#fills.has(placeKey(place, digest));
  }

  /** The descriptor of a blob that is being downloaded; undefined if it is not. */
  async descriptor(place: Place, digest: Digest): Promise<Descriptor | undefined> {
    const fill = await this.#fills.get(placeKey(place, digest))?.catch(() => undefined);
    if (fill === undefined) return undefined;
    if (fill.descriptor.size === Number.POSITIVE_INFINITY && (await fill.ended).type !== 'kept') return undefined;
    return { ...fill.descriptor };
  }

  /** The position and size, in bytes, of a running or interrupted download; undefined if there is none. */
  async reached(place: Place, digest: Digest): Promise<{ position: number; size: number } | undefined> {
    const key = placeKey(place, digest);
    const fill = await this.#fills.get(key)?.catch(() => undefined);
    if (fill !== undefined) return { position: fill.available, size: fill.descriptor.size };
    const paused = this.#paused.get(key);
    const position = paused === undefined ? undefined : uploadSize(paused.upload);
    return paused === undefined || position === undefined ? undefined : { position, size: paused.size };
  }

  /**
   * The download of a blob: joins the running one, or begins one.
   *
   * @returns undefined if the store does not take the blob at the moment
   */
  async get(
    place: Place,
    digest: Digest,
    { signal, size }: Pick<GetBlobOptions, 'signal' | 'size'>,
  ): Promise<Fill | undefined> {
    const key = placeKey(place, digest);
    for (let known = this.#fills.get(key); known !== undefined; known = this.#fills.get(key)) {
      const fill = await abortable(known, signal);
      if (fill?.isLost !== true) {
        this.#tell('joined', place, digest);
        return fill;
      }
      // The next download resumes at the position of the lost one.
      await abortable(fill.ended, signal);
      this.#forget(key, known);
    }
    if (this.#unkeepable.get(key) !== undefined) return undefined;
    this.#assertMayTryAgain(key);
    this.#tell('miss', place, digest);
    const opening = this.#open(place, digest, key, size);
    this.#fills.set(key, opening);
    void this.#forgetWhenOver(key, opening);
    return abortable(opening, signal);
  }

  async #forgetWhenOver(key: string, opening: Promise<Fill | undefined>): Promise<void> {
    const fill = await opening.catch(() => undefined);
    await fill?.ended;
    this.#forget(key, opening);
  }

  #forget(key: string, fill: Promise<Fill | undefined>): void {
    if (this.#fills.get(key) === fill) this.#fills.delete(key);
  }

  #assertMayTryAgain(key: string): void {
    const wait = (this.#wrongs.get(key)?.notBefore ?? 0) - performance.now();
    if (wait <= 0) return;
    throw new RegistryError(
      'UNAVAILABLE',
      'the upstream registry has sent wrong content several times: try again later',
      {
        retryAfter: Math.ceil(wait / 1000),
      },
    );
  }

  async #open(place: Place, digest: Digest, key: string, known: number | undefined): Promise<Fill | undefined> {
    const { upstream, repository, keptAs, context } = place;
    const paused = this.#resume(key);
    const start = paused?.upload.size ?? 0;
    let content: BlobContent;
    try {
      const range = paused === undefined ? undefined : { start };
      // The store compares the whole blob with its digest: once is enough.
      const verify = this.#store[verifiesPushes] !== true;
      const call = { context, signal: this.#closing.signal, range, size: known, verify };
      content = await upstream.ask((registry) => registry.getBlob(repository, digest, call), call.signal);
    } catch (error) {
      if (paused !== undefined && isOutage(error)) await this.#pause(key, paused);
      else await paused?.upload.cancel().catch(() => undefined);
      if (!isUnknown(error)) this.#tell('failed', place, digest, { error });
      throw error;
    }
    const { size } = content.descriptor;
    if (paused !== undefined && (paused.size !== size || content.range.start !== start || content.range.end !== size)) {
      await Promise.allSettled([content.cancel(), paused.upload.cancel()]);
      return this.#open(place, digest, key, known);
    }
    try {
      const { algorithm } = splitDigest(digest);
      const upload = paused?.upload ?? (await this.#store.startUpload(keptAs, { algorithm }));
      const fill = new Fill({ upstream, store: this.#store, repository: keptAs, content, upload, start });
      const ending: Promise<void> = fill.ended
        .then((outcome) => this.#end(place, digest, { fill, upload, outcome }))
        .finally(() => this.#endings.delete(ending));
      this.#endings.add(ending);
      return fill;
    } catch (error) {
      await content.cancel().catch(() => undefined);
      this.#unkeepable.set(key, true, unkeepableFor);
      this.#tell('unkept', place, digest, { error });
      return undefined;
    }
  }

  async #end(
    place: Place,
    digest: Digest,
    { fill, upload, outcome }: { fill: Fill; upload: BlobUpload; outcome: FillOutcome },
  ): Promise<void> {
    const key = placeKey(place, digest);
    const { size } = fill.descriptor;
    this.#followers.delete(fill);
    if (outcome.type === 'kept') {
      this.#wrongs.delete(key);
      this.#tell('kept', place, digest, { size });
      this.#onKept(place, digest, size);
      return;
    }
    const { type, error } = outcome;
    this.#tell(type === 'unkept' ? 'unkept' : 'failed', place, digest, { size, error });
    if ((type === 'cut' || type === 'left') && !this.#closing.signal.aborted) {
      await this.#pause(key, { upload, size });
      return;
    }
    if (type === 'unkept') this.#unkeepable.set(key, true, unkeepableFor);
    if (type === 'wrong') this.#noteWrong(key);
    await upload.cancel().catch(() => undefined);
  }

  /** The first wrong content may be an accident of the network, so the upstream may be asked again at once. */
  #noteWrong(key: string): void {
    const count = (this.#wrongs.get(key)?.count ?? 0) + 1;
    const wait = count === 1 ? 0 : Math.min(1000 * 2 ** (count - 2), longestWait);
    this.#wrongs.set(key, { count, notBefore: performance.now() + wait }, wrongFor);
  }

  async #pause(key: string, paused: Paused): Promise<void> {
    const size = uploadSize(paused.upload);
    if (size === undefined || size === 0) {
      await paused.upload.cancel().catch(() => undefined);
      return;
    }
    this.#paused.set(key, paused);
    if (this.#paused.size <= maxPaused) return;
    const [oldest] = this.#paused;
    if (oldest === undefined) return;
    this.#paused.delete(oldest[0]);
    await oldest[1].upload.cancel().catch(() => undefined);
  }

  #resume(key: string): Paused | undefined {
    const paused = this.#paused.get(key);
    this.#paused.delete(key);
    const size = paused === undefined ? undefined : uploadSize(paused.upload);
    return size === undefined || size === 0 ? undefined : paused;
  }

  /**
   * The blob, or a part of it, while it arrives. Resolves when its first byte can be read.
   *
   * @returns undefined if the store does not take the blob at the moment
   */
  async content(fill: Fill, place: Place, options: GetBlobOptions): Promise<BlobContent | undefined> {
    const { descriptor } = fill;
    const { range, ranges, signal } = options;
    const first = (ranges ?? [range])
      .map((each) => resolveRange(each, descriptor.size))
      .find(({ start, end }) => start < end);
    try {
      if (descriptor.size > heldBack && descriptor.size !== Number.POSITIVE_INFINITY) {
        if (first !== undefined) await fill.until(first.start, signal);
      } else {
        const outcome = await abortable(fill.ended, signal);
        if (outcome.type === 'kept') return await this.#store.getBlob(place.keptAs, descriptor.digest, options);
        throw outcome.error;
      }
    } catch (error) {
      signal?.throwIfAborted();
      const { type } = await fill.ended;
      if (type === 'unkept') return undefined;
      throw error;
    }
    const iterate = (part: ResolvedRange, how?: 'lent'): AsyncIterable<Uint8Array> =>
      this.#follow(fill, part, place, options, how);
    const blob = { descriptor: { ...descriptor }, signal, source: { iterate } };
    return ranges === undefined ? createContent({ ...blob, range }) : createPartsContent({ ...blob, ranges });
  }

  async *#follow(
    fill: Fill,
    range: ResolvedRange,
    place: Place,
    { signal, onEvent }: GetBlobOptions,
    how?: 'lent',
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.#followers.set(fill, (this.#followers.get(fill) ?? 0) + 1);
    const onClose = (): void => this.#leave(fill);
    yield* follow(fill, range, { repository: place.name, signal, onEvent, onClose, how });
  }

  #leave(fill: Fill): void {
    const left = (this.#followers.get(fill) ?? 1) - 1;
    this.#followers.set(fill, left);
    if (left > 0) return;
    if (fill.isOver) {
      this.#followers.delete(fill);
      return;
    }
    later(linger, () => {
      if (this.#followers.get(fill) !== 0 || fill.isNearlyDone) return;
      fill.leave(new RegistryError('UNAVAILABLE', 'the download of the blob has ended: it had no readers'));
    });
  }

  /** Ends all downloads. */
  async close(): Promise<void> {
    const error = new RegistryError('UNAVAILABLE', 'the cache is closing');
    this.#closing.abort(error);
    const fills = await Promise.allSettled(this.#fills.values());
    for (const result of fills) {
      if (result.status === 'rejected' || result.value === undefined) continue;
      result.value.leave(error);
      await result.value.ended;
    }
    await Promise.all(this.#endings);
    for (const { upload } of this.#paused.values()) await upload.cancel().catch(() => undefined);
    this.#paused.clear();
  }

  #tell(type: CacheEventType, place: Place, digest: Digest, more: { size?: number; error?: unknown } = {}): void {
    this.#settings.tell({ type, kind: 'blob', repository: place.keptAs, reference: digest, ...more });
  }
}

/** Undefined if the store has dropped the upload meanwhile. */
function uploadSize(upload: BlobUpload): number | undefined {
  try {
    return upload.size;
  } catch {
    return undefined;
  }
}
