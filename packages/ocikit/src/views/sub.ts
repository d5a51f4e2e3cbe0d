import {
  assertRepository,
  history,
  historyOf,
  isRepository,
  maintenance,
  maintenanceOf,
  RegistryError,
  verifiesPushes,
} from '../model/index.ts';
import type {
  BlobUpload,
  CallOptions,
  History,
  Maintenance,
  MountSource,
  Registry,
  TransferEvent,
} from '../model/index.ts';

import { forwardUpload, uploadsOfShown, usageOf, watchContent, withoutOrphans, Wording } from './shared/index.ts';
import type { View } from './shared/index.ts';

/** The most that a repository's name may have, in a registry. Distribution specification, "Pulling manifests". */
const longestName = 255;

/**
 * The repositories below a prefix, as a registry of its own: `app` is `PREFIX/app` inside. Nothing else can be reached: names
 * are looked at before the prefix is put before them, blobs are mounted from repositories below it only, lists hold what lies
 * below it, and errors and events tell the names that callers know. (The URLs of a redirect, and those in
 * `Descriptor.urls`, stay what they are.)
 *
 * A name may be shorter than elsewhere, as the whole one has to fit: NAME_INVALID else. A client inside asks its token server
 * for the whole names, as it is given them.
 *
 * @throws RegistryError NAME_INVALID if the prefix is no repository's name
 * @example
 * // Each team has what looks like a registry of its own.
 * createServer(sub(registry, 'teams/blue'))
 */
export function sub(registry: Registry, prefix: string): Registry {
  assertRepository(prefix);
  const below = new Below(prefix);
  const inner = maintenanceOf(registry);

  const view: View = {
    async getBlob(repository, digest, options) {
      const place = below.at(repository);
      const content = await place.run(() => registry.getBlob(place.inside, digest, place.options(options)));
      return watchContent(content, { failed: place.told });
    },
    async getManifest(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => registry.getManifest(place.inside, digest, place.options(options)));
    },
    async getTag(repository, tag, options) {
      const place = below.at(repository);
      return place.run(() => registry.getTag(place.inside, tag, place.options(options)));
    },
    async resolveBlob(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => registry.resolveBlob(place.inside, digest, place.options(options)));
    },
    async resolveManifest(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => registry.resolveManifest(place.inside, digest, place.options(options)));
    },
    async resolveTag(repository, tag, options) {
      const place = below.at(repository);
      return place.run(() => registry.resolveTag(place.inside, tag, place.options(options)));
    },

    async pushBlob(repository, blob, source, options) {
      const place = below.at(repository);
      return place.run(() => registry.pushBlob(place.inside, blob, source, place.options(options)));
    },
    async startUpload(repository, options) {
      const place = below.at(repository);
      return place.upload(await place.run(() => registry.startUpload(place.inside, place.options(options))));
    },
    async resumeUpload(repository, id, options) {
      const place = below.at(repository);
      const call = (): Promise<BlobUpload> =>
        registry.resumeUpload(place.inside, place.insideId(id), place.options(options));
      return place.upload(await place.run(call));
    },
    async mountBlob(from, repository, digest, options) {
      const place = below.at(repository, typeof from === 'string' ? from : undefined);
      const source = below.source(from);
      const result = await place.run(() => registry.mountBlob(source, place.inside, digest, place.options(options)));
      return result.upload === undefined ? result : { upload: place.upload(result.upload) };
    },
    async pushManifest(repository, bytes, mediaType, options) {
      const place = below.at(repository);
      return place.run(() => registry.pushManifest(place.inside, bytes, mediaType, place.options(options)));
    },

    async deleteBlob(repository, digest, options) {
      const place = below.at(repository);
      await place.run(() => registry.deleteBlob(place.inside, digest, place.options(options)));
    },
    async deleteManifest(repository, digest, options) {
      const place = below.at(repository);
      await place.run(() => registry.deleteManifest(place.inside, digest, place.options(options)));
    },
    async deleteTag(repository, tag, options) {
      const place = below.at(repository);
      await place.run(() => registry.deleteTag(place.inside, tag, place.options(options)));
    },

    async *repositories(options = {}) {
      const { limit } = options;
      const told = below.wording;
      const { from, after } = below.startAfter(options.startAfter);
      // What is left out here must not count.
      const few = from < after ? { limit: limit === 0 ? 0 : undefined } : {};
      const all = registry.repositories({ ...options, ...few, startAfter: from });
      let count = 0;
      try {
        if (limit === 0) {
          // Who wants nothing still learns whether there is such a list.
          await all[Symbol.asyncIterator]().next();
          return;
        }
        for await (const name of all) {
          const outside = below.outside(name);
          // Names that begin alike lie together, so what comes after them need not be read.
          if (outside === undefined && name > below.start) return;
          if (outside === undefined || name <= after) continue;
          yield outside;
          if (++count === limit) return;
        }
      } catch (error) {
        throw told.error(error);
      }
    },
    async *tags(repository, options) {
      const place = below.at(repository);
      yield* place.list(registry.tags(place.inside, place.options(options)));
    },
    async *referrers(repository, digest, options) {
      const place = below.at(repository);
      yield* place.list(registry.referrers(place.inside, digest, place.options(options)));
    },

    [maintenance]:
      inner === undefined ? undefined : subMaintenance(inner, below, (options) => view.repositories(options)),
    [history]: subHistory(historyOf(registry), below),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

function subMaintenance(inner: Maintenance, below: Below, repositories: Registry['repositories']): Maintenance {
  const own: Maintenance = {
    async *manifests(repository, options) {
      const place = below.at(repository);
      yield* place.list(inner.manifests(place.inside, options));
    },
    async *blobs(repository, options) {
      const place = below.at(repository);
      yield* place.list(inner.blobs(place.inside, options));
    },
    async *uploads(repository, options) {
      if (repository === undefined) {
        yield* uploadsOfShown(inner, options, async (upload, inside) => {
          const name = below.outside(inside);
          return name === undefined
            ? undefined
            : { ...upload, repository: name, id: below.at(name).outsideId(upload.id) };
        });
        return;
      }
      const place = below.at(repository);
      const uploads = inner.uploads(place.inside, options);
      for await (const upload of place.list(uploads)) yield { ...upload, repository, id: place.outsideId(upload.id) };
    },
    ...withoutOrphans,
    async readManifest(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => inner.readManifest(place.inside, digest, place.options(options)));
    },
    async quarantine(repository, digest) {
      const place = below.at(repository);
      return place.run(() => inner.quarantine(place.inside, digest));
    },
    async verify(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => inner.verify(place.inside, digest, place.options(options)));
    },
    async removeUnused(repository, digest, options) {
      const place = below.at(repository);
      return place.run(() => inner.removeUnused(place.inside, digest, options));
    },
    async lease(repository, digests) {
      const place = below.at(repository);
      return place.run(() => inner.lease(place.inside, digests));
    },
    usage: () => usageOf(repositories(), own),
  };
  return own;
}

function subHistory(inner: History | undefined, below: Below): History | undefined {
  if (inner === undefined) return undefined;
  return {
    async *moves(repository, options) {
      const place = below.at(repository);
      yield* place.list(inner.moves(place.inside, place.options(options)));
    },
  };
}

/** What lies below a prefix, and what it is called inside and outside. */
class Below {
  /** What all names below it begin with. */
  readonly start: string;
  readonly wording: Wording;

  constructor(prefix: string) {
    this.start = `${prefix}/`;
    this.wording = new Wording([[this.start, '']]);
  }

  /** @throws RegistryError NAME_INVALID */
  inside(repository: string): string {
    assertRepository(repository);
    const most = longestName - this.start.length;
    if (repository.length <= most) return this.start + repository;
    throw new RegistryError(
      'NAME_INVALID',
      `a repository's name may have ${Math.max(most, 0)} characters at most here`,
      {
        detail: { name: repository },
      },
    );
  }

  /** Undefined if it is not below the prefix. */
  outside(repository: string): string | undefined {
    const name = repository.startsWith(this.start) ? repository.slice(this.start.length) : undefined;
    return name === undefined || !isRepository(name) ? undefined : name;
  }

  /**
   * Where a list begins: at `after`, or at `from` before it, as some registries want well-formed names only. Just before the
   * first name below `a` is no such name, as `a-b` and `a.b` come before `a/`: but after the last of those there is nothing.
   */
  startAfter(startAfter: string | undefined): { from: string; after: string } {
    if (startAfter === undefined) {
      const last = `${this.start.slice(0, -1)}.`.padEnd(longestName, 'z');
      return { from: last, after: last };
    }
    const after = this.start + startAfter;
    if (isRepository(after)) return { from: after, after };
    const from = after.slice(0, longestName).replace(/[./_-]+$/, '');
    return { from: isRepository(from) ? from : after, after };
  }

  source(from: MountSource | undefined): MountSource {
    if (typeof from === 'string') return this.inside(from);
    return (repository) => {
      const name = this.outside(repository);
      return name !== undefined && (from === undefined || from(name));
    };
  }

  at(repository: string, from?: string): Place {
    const names = [repository, ...(from === undefined ? [] : [from])];
    const inside = names.map((name) => this.inside(name));
    return new Place(this, inside[0] ?? '', repository, () => {
      const known = names.map((name, i) => [inside[i] ?? '', name] as const);
      // A longer name may begin with a shorter one.
      const sorted = known.toSorted(([a], [b]) => b.length - a.length);
      return new Wording([...sorted, [this.start, '']]);
    });
  }
}

/** What an upload's id says in place of the repository's name, as it is in a URL's path and elsewhere in one. */
const [nameInPath, nameEncoded] = ['{name}', '{encoded-name}'];

/** A repository below a prefix, for one call. */
class Place {
  readonly inside: string;
  readonly #below: Below;
  readonly #name: string;
  readonly #wordingOf: () => Wording;
  #wording: Wording | undefined;

  constructor(below: Below, inside: string, name: string, wordingOf: () => Wording) {
    this.#below = below;
    this.inside = inside;
    this.#name = name;
    this.#wordingOf = wordingOf;
  }

  /** An error as callers may hear it. */
  readonly told = (error: unknown): unknown => {
    this.#wording ??= this.#wordingOf();
    return this.#wording.error(error);
  };

  async run<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      throw this.told(error);
    }
  }

  async *list<T>(items: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* items;
    } catch (error) {
      throw this.told(error);
    }
  }

  options<O extends CallOptions>(options: O | undefined): O | undefined {
    const onEvent = options?.onEvent;
    if (options === undefined || onEvent === undefined) return options;
    return { ...options, onEvent: (event) => onEvent(this.#event(event)) };
  }

  #event(event: TransferEvent): TransferEvent {
    const repository = this.#below.outside(event.repository) ?? this.#name;
    if (event.type === 'mounted') {
      const from = event.from === undefined ? undefined : this.#below.outside(event.from);
      return { ...event, repository, from };
    }
    if (event.type === 'retried') return { ...event, repository, error: this.told(event.error) };
    return { ...event, repository };
  }

  /** Ids of a registry that is reached over HTTP are URLs, with the name in them. */
  outsideId(id: string): string {
    if (id.includes(nameInPath) || id.includes(nameEncoded)) return id;
    return id.replaceAll(this.inside, nameInPath).replaceAll(encodeURIComponent(this.inside), nameEncoded);
  }

  insideId(id: string): string {
    return id.replaceAll(nameInPath, this.inside).replaceAll(nameEncoded, encodeURIComponent(this.inside));
  }

  upload(upload: BlobUpload): BlobUpload {
    const read = upload.read?.bind(upload);
    return forwardUpload(upload, {
      id: (id) => this.outsideId(id),
      append: (source, options) => this.run(() => upload.append(source, this.options(options))),
      commit: (digest, options) => this.run(() => upload.commit(digest, this.options(options))),
      close: () => this.run(() => upload.close()),
      cancel: (options) => this.run(() => upload.cancel(this.options(options))),
      read: read && ((range) => watchContent(read(range), { failed: this.told })),
    });
  }
}
