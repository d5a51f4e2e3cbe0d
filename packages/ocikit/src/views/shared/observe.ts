// Observes every call of a registry: the base of debug and trace.
import {
  history,
  historyOf,
  lengthOf,
  maintenance,
  maintenanceOf,
  RegistryError,
  verifiesPushes,
} from '../../model/index.ts';
import type {
  BlobContent,
  BlobUpload,
  ByteRange,
  CallOptions,
  Descriptor,
  Digest,
  ListOptions,
  Maintenance,
  MountSource,
  Registry,
  TagCondition,
} from '../../model/index.ts';

import { forwardUpload } from './forward.ts';
import type { View } from './forward.ts';
import { watchContent } from './watched-content.ts';

/** A call as its caller made it, without contents. */
export interface ObservedCall {
  /** The method, as `getBlob`; as `upload.append` for an upload, and `maintenance.verify` for the maintenance. */
  readonly method: string;
  /** The repository's name. */
  readonly repository?: string | undefined;
  /** The digest that is asked for or pushed. */
  readonly digest?: Digest | undefined;
  /** The tag that is asked for. */
  readonly tag?: string | undefined;
  /** The tags that a push sets. */
  readonly tags?: readonly string[] | undefined;
  /** The condition on the tags. */
  readonly ifTag?: TagCondition | undefined;
  /** The media type of a pushed manifest. */
  readonly mediaType?: string | undefined;
  /** Bytes that the caller sends, if it says so. */
  readonly size?: number | undefined;
  /** The part of a blob that is asked for. */
  readonly range?: ByteRange | undefined;
  /** The number of parts of a blob that are asked for, if they are several. */
  readonly ranges?: number | undefined;
  /** The byte at which an upload is resumed. */
  readonly offset?: number | 'end' | undefined;
  /** The upload's number. Its id is a secret: with it anyone could resume the upload. */
  readonly upload?: number | undefined;
  /** The source of a mount. `a function`: any repository that the function accepts. */
  readonly from?: string | undefined;
  /** The name after which a list begins. */
  readonly startAfter?: string | undefined;
  /** The most items of a list. */
  readonly limit?: number | undefined;
  /** The artifact type of the referrers that are asked for. */
  readonly artifactType?: string | undefined;
  /** The authenticated caller's name. */
  readonly caller?: string | undefined;
  /** The id of the request that led to the call. */
  readonly requestId?: string | undefined;
}

/** The result of a call. */
export interface ObservedResult {
  /** The digest of the content. */
  readonly digest?: Digest | undefined;
  /** The media type of the content. */
  readonly mediaType?: string | undefined;
  /** Bytes of the whole blob or manifest, or of the upload so far. */
  readonly size?: number | undefined;
  /** The tags that a push has set. */
  readonly tags?: readonly string[] | undefined;
  /** The subject of a pushed manifest. */
  readonly subject?: Digest | undefined;
  /** The upload's number. */
  readonly upload?: number | undefined;
  /** The number of items that a list has given. */
  readonly items?: number | undefined;
  /** Bytes of a content that were read. */
  readonly bytes?: number | undefined;
  /** False if the reader stopped before the end. */
  readonly complete?: boolean | undefined;
  /** The result in a word, as `mounted`, `ok`, `removed`. */
  readonly outcome?: string | undefined;
}

/** Observes one call. */
export interface Observer {
  /** Runs the call, or a later step of it. */
  run<T>(call: () => T): T;
  /** A content can be read now. `ended` or `failed` follows when it has been read. */
  opened(result: ObservedResult): void;
  /** The call has ended. */
  ended(result: ObservedResult): void;
  /** The call has failed. */
  failed(error: unknown): void;
}

/** Begins to observe a call. */
export type Observe = (call: ObservedCall) => Observer;

/** The unchanged registry, with an observer for each call. */
export function observe(registry: Registry, begin: Observe): Registry {
  const watch = new Watch(begin);
  const inner = maintenanceOf(registry);
  const innerHistory = historyOf(registry);

  const view: View = {
    async getBlob(repository, digest, options) {
      const observer = watch.begin(
        'getBlob',
        { repository, digest, range: options?.range, ranges: options?.ranges?.length },
        options,
      );
      const content = await watch.attempt(observer, () => registry.getBlob(repository, digest, options));
      return watch.content(observer, content);
    },
    getManifest: (repository, digest, options) =>
      watch.call(watch.begin('getManifest', { repository, digest }, options), {
        run: () => registry.getManifest(repository, digest, options),
        resultFrom: ({ descriptor }) => resultOf(descriptor),
      }),
    getTag: (repository, tag, options) =>
      watch.call(watch.begin('getTag', { repository, tag }, options), {
        run: () => registry.getTag(repository, tag, options),
        resultFrom: ({ descriptor }) => resultOf(descriptor),
      }),
    resolveBlob: (repository, digest, options) =>
      watch.call(watch.begin('resolveBlob', { repository, digest }, options), {
        run: () => registry.resolveBlob(repository, digest, options),
        resultFrom: resultOf,
      }),
    resolveManifest: (repository, digest, options) =>
      watch.call(watch.begin('resolveManifest', { repository, digest }, options), {
        run: () => registry.resolveManifest(repository, digest, options),
        resultFrom: resultOf,
      }),
    resolveTag: (repository, tag, options) =>
      watch.call(watch.begin('resolveTag', { repository, tag }, options), {
        run: () => registry.resolveTag(repository, tag, options),
        resultFrom: resultOf,
      }),

    pushBlob: (repository, blob, source, options) =>
      watch.call(watch.begin('pushBlob', { repository, digest: blob.digest, size: blob.size }, options), {
        run: () => registry.pushBlob(repository, blob, source, options),
        resultFrom: resultOf,
      }),
    async startUpload(repository, options) {
      const observer = watch.begin('startUpload', { repository }, options);
      const upload = await watch.attempt(observer, () => registry.startUpload(repository, options));
      return watch.upload(observer, repository, upload);
    },
    async resumeUpload(repository, id, options) {
      const known = watch.numberOf(id);
      const observer = watch.begin('resumeUpload', { repository, upload: known, offset: options?.offset }, options);
      const upload = await watch.attempt(observer, () => registry.resumeUpload(repository, id, options));
      return watch.upload(observer, repository, upload, known);
    },
    async mountBlob(from, repository, digest, options) {
      const observer = watch.begin('mountBlob', { repository, digest, from: nameOf(from) }, options);
      const result = await watch.attempt(observer, () => registry.mountBlob(from, repository, digest, options));
      if (result.upload !== undefined) return { upload: watch.upload(observer, repository, result.upload) };
      observer.ended({ ...resultOf(result.descriptor), outcome: 'mounted' });
      return result;
    },
    pushManifest(repository, bytes, mediaType, options) {
      const { digest, tags, ifTag } = options ?? {};
      const about = { repository, mediaType, digest, tags, ifTag, size: bytes.length };
      return watch.call(watch.begin('pushManifest', about, options), {
        run: () => registry.pushManifest(repository, bytes, mediaType, options),
        resultFrom: (pushed) => ({ ...resultOf(pushed.descriptor), tags: pushed.tags, subject: pushed.subject }),
      });
    },

    deleteBlob: (repository, digest, options) =>
      watch.call(watch.begin('deleteBlob', { repository, digest }, options), {
        run: () => registry.deleteBlob(repository, digest, options),
      }),
    deleteManifest: (repository, digest, options) =>
      watch.call(watch.begin('deleteManifest', { repository, digest }, options), {
        run: () => registry.deleteManifest(repository, digest, options),
      }),
    deleteTag: (repository, tag, options) =>
      watch.call(watch.begin('deleteTag', { repository, tag, ifTag: options?.ifTag }, options), {
        run: () => registry.deleteTag(repository, tag, options),
      }),

    repositories: (options) =>
      watch.list('repositories', pageOf(options), options, () => registry.repositories(options)),
    tags: (repository, options) =>
      watch.list('tags', { repository, ...pageOf(options) }, options, () => registry.tags(repository, options)),
    referrers(repository, digest, options) {
      const about = { repository, digest, artifactType: options?.artifactType, ...pageOf(options) };
      return watch.list('referrers', about, options, () => registry.referrers(repository, digest, options));
    },

    [maintenance]: inner && observedMaintenance(inner, watch),
    [history]: innerHistory && {
      moves: (repository, options) =>
        watch.list('history.moves', { repository, tag: options?.tag, limit: options?.limit }, options, () =>
          innerHistory.moves(repository, options),
        ),
    },
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

function observedMaintenance(inner: Maintenance, watch: Watch): Maintenance {
  return {
    manifests: (repository, options) =>
      watch.list('maintenance.manifests', { repository, ...pageOf(options) }, options, () =>
        inner.manifests(repository, options),
      ),
    blobs: (repository, options) =>
      watch.list('maintenance.blobs', { repository, ...pageOf(options) }, options, () =>
        inner.blobs(repository, options),
      ),
    uploads: (repository, options) =>
      // `startAfter` is an upload's id here, which is a secret.
      watch.list('maintenance.uploads', { repository, limit: options?.limit }, options, () =>
        inner.uploads(repository, options),
      ),
    verify: (repository, digest, options) =>
      watch.call(watch.begin('maintenance.verify', { repository, digest }, options), {
        run: () => inner.verify(repository, digest, options),
        resultFrom: (outcome) => ({ outcome }),
      }),
    removeUnused: (repository, digest, options) =>
      watch.call(watch.begin('maintenance.removeUnused', { repository, digest }, undefined), {
        run: () => inner.removeUnused(repository, digest, options),
        resultFrom: (removed) => ({ outcome: removed ? 'removed' : 'kept' }),
      }),
    orphans: (options) => watch.list('maintenance.orphans', {}, options, () => inner.orphans(options)),
    // The notes of a collection for itself are of no interest.
    bookmark: inner.bookmark,
    problems: (options) =>
      watch.list('maintenance.problems', {}, options, () => inner.problems?.(options) ?? nothing()),
    readManifest: (repository, digest, options) =>
      watch.call(watch.begin('maintenance.readManifest', { repository, digest }, options), {
        run: () => inner.readManifest(repository, digest, options),
        resultFrom: ({ length }) => ({ size: length }),
      }),
    removeOrphan: (digest, options) =>
      watch.call(watch.begin('maintenance.removeOrphan', { digest }, undefined), {
        run: () => inner.removeOrphan(digest, options),
        resultFrom: (removed) => ({ outcome: removed ? 'removed' : 'kept' }),
      }),
    quarantine: (repository, digest) =>
      watch.call(watch.begin('maintenance.quarantine', { repository, digest }, undefined), {
        run: () => inner.quarantine(repository, digest),
        resultFrom: (moved) => ({ outcome: moved ? 'put aside' : 'left' }),
      }),
    lease: (repository, digests) =>
      watch.call(watch.begin('maintenance.lease', { repository }, undefined), {
        run: () => inner.lease(repository, digests),
      }),
    usage: () =>
      watch.call(watch.begin('maintenance.usage', {}, undefined), {
        run: () => inner.usage(),
        resultFrom: ({ size }) => ({ size }),
      }),
  };
}

/** Uploads whose numbers are remembered. An older upload gets a new number when it is resumed. */
const mostKnownUploads = 1000;

class Watch {
  readonly #begin: Observe;
  readonly #numbers = new Map<string, number>();
  #uploads = 0;

  constructor(begin: Observe) {
    this.#begin = begin;
  }

  begin(method: string, about: Omit<ObservedCall, 'method'>, options: CallOptions | undefined): Observer {
    const { identity, requestId } = options?.context ?? {};
    return this.#begin({ method, ...about, caller: identity?.user, requestId });
  }

  /** Runs a call whose end is not its return, as it gives an upload or a content. */
  async attempt<T>(observer: Observer, run: () => Promise<T>): Promise<T> {
    try {
      return await observer.run(run);
    } catch (error) {
      observer.failed(error);
      throw error;
    }
  }

  async call<T>(
    observer: Observer,
    { run, resultFrom = () => ({}) }: { run: () => Promise<T>; resultFrom?: (value: T) => ObservedResult },
  ): Promise<T> {
    const value = await this.attempt(observer, run);
    observer.ended(resultFrom(value));
    return value;
  }

  content(observer: Observer, content: BlobContent): BlobContent {
    observer.opened(resultOf(content.descriptor));
    const length = lengthOf(content);
    return watchContent(content, {
      ended: (bytes, failure) => {
        if (failure === undefined) observer.ended({ bytes, complete: bytes === length });
        else observer.failed(failure.error);
      },
    });
  }

  async *list<T>(
    method: string,
    about: Omit<ObservedCall, 'method'>,
    options: CallOptions | undefined,
    list: () => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const observer = this.begin(method, about, options);
    let items = 0;
    let complete = false;
    try {
      // Most lists do nothing until their first item is asked for, so ask for it inside `run`.
      const { iterator, first } = observer.run(() => {
        const opened = list()[Symbol.asyncIterator]();
        return { iterator: opened, first: opened.next() };
      });
      try {
        for (let next = await first; next.done !== true; next = await observer.run(() => iterator.next())) {
          items++;
          yield next.value;
        }
        complete = true;
      } finally {
        if (!complete) await iterator.return?.();
      }
    } catch (error) {
      complete = true;
      observer.failed(error);
      throw error;
    } finally {
      observer.ended({ items, complete });
    }
  }

  /** The number of an upload; a new one if it has none. */
  numberOf(id: string): number {
    const number = this.#numbers.get(id) ?? ++this.#uploads;
    this.#note(id, number);
    return number;
  }

  #note(id: string, number: number): void {
    this.#numbers.delete(id);
    this.#numbers.set(id, number);
    if (this.#numbers.size <= mostKnownUploads) return;
    const [oldest = ''] = this.#numbers.keys();
    this.#numbers.delete(oldest);
  }

  upload(observer: Observer, repository: string, upload: BlobUpload, known?: number): BlobUpload {
    const number = known ?? this.numberOf(upload.id);
    this.#note(upload.id, number);
    observer.ended({ upload: number, size: upload.size });
    const about = { repository, upload: number };
    const read = upload.read?.bind(upload);
    return forwardUpload(upload, {
      append: (source, options) =>
        this.call(this.begin('upload.append', { ...about, offset: options?.at, size: options?.size }, options), {
          run: () => upload.append(source, options),
          resultFrom: (size) => {
            this.#note(upload.id, number);
            return { size };
          },
        }),
      commit: (digest, options) => {
        const what = { ...about, digest, offset: options?.at, size: options?.size };
        return this.call(this.begin('upload.commit', what, options), {
          run: () => upload.commit(digest, options),
          resultFrom: resultOf,
        });
      },
      close: () => this.call(this.begin('upload.close', about, undefined), { run: () => upload.close() }),
      cancel: (options) =>
        this.call(this.begin('upload.cancel', about, options), { run: () => upload.cancel(options) }),
      read:
        read &&
        ((range) => {
          const reader = this.begin('upload.read', { ...about, range }, undefined);
          try {
            return this.content(
              reader,
              reader.run(() => read(range)),
            );
          } catch (error) {
            reader.failed(error);
            throw error;
          }
        }),
    });
  }
}

function resultOf({ digest, mediaType, size }: Descriptor): ObservedResult {
  return { digest, mediaType, size };
}

function pageOf(options: ListOptions | undefined): Pick<ObservedCall, 'startAfter' | 'limit'> {
  return { startAfter: options?.startAfter, limit: options?.limit };
}

function nameOf(from: MountSource | undefined): string | undefined {
  return typeof from === 'function' ? 'a function' : from;
}

/** The name of an error: its code, or the name of its class. */
export function kindOf(error: unknown): string {
  if (error instanceof RegistryError) return error.code;
  return error instanceof Error ? error.name : typeof error;
}

async function* nothing(): AsyncGenerator<never, void, undefined> {
  // A registry without the optional method has no problems to tell.
}
