// A view that shows the repositories below a prefix as a registry of its own, under the shorter names.
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
import type { CallOptions, MountSource, Registry, TransferEvent } from '../model/index.ts';

import {
  deletes,
  mapHistory,
  mapMaintenance,
  mapRepository,
  pushes,
  reads,
  rule,
  shownRepositories,
  uploadsOfShown,
  withoutOrphans,
  Wording,
} from './shared/index.ts';
import type { Destination, RepositoryRule, RepositoryRules, UploadIdMapping, View } from './shared/index.ts';

/** Characters of the longest repository name in a registry. Distribution specification, "Pulling manifests". */
const longestName = 255;

/**
 * The repositories below a prefix, as a registry of its own: `app` is `PREFIX/app` inside. Callers cannot reach outside
 * the prefix: names are checked before the prefix is added, blobs are mounted only from repositories below it, lists
 * hold only what is below it, and errors and events use the names that callers know. (The URLs of a redirect and those
 * in `Descriptor.urls` stay as they are.)
 *
 * The longest possible name is shorter here, as the whole name has to fit: a longer one is NAME_INVALID. A client
 * inside asks its token server for the whole names.
 *
 * @throws RegistryError NAME_INVALID if the prefix is no repository's name
 * @example
 * // Each team has a registry of its own.
 * createServer(sub(registry, 'teams/blue'))
 */
export function sub(registry: Registry, prefix: string): Registry {
  assertRepository(prefix);
  const below = new Below(prefix);
  const prefixed: RepositoryRule = ({ repository, from }) => below.at(registry, repository, from);
  const rules: RepositoryRules = {
    ...rule(prefixed, ...reads, ...pushes, ...deletes, 'tags', 'referrers', 'history.moves'),
    ...rule(prefixed, 'maintenance.manifests', 'maintenance.blobs', 'maintenance.uploads'),
    ...rule(prefixed, 'maintenance.readManifest', 'maintenance.verify', 'maintenance.lease'),
    ...rule(prefixed, 'maintenance.removeUnused', 'maintenance.quarantine'),
  };

  const inner = maintenanceOf(registry);
  const view: View = {
    ...mapRepository(rules),
    async *repositories(options = {}) {
      const { from, after } = below.startAfter(options.startAfter);
      // The registry may apply the limit itself, unless its list begins with names that are left out here.
      const most = from < after ? {} : { limit: options.limit };
      const list: Registry['repositories'] = (page) => registry.repositories({ ...most, ...page, startAfter: from });
      try {
        yield* shownRepositories(list, options, (names) => below.shown(names, after));
      } catch (error) {
        throw below.wording.error(error);
      }
    },
    [maintenance]:
      inner &&
      mapMaintenance(rules, {
        repositories: () => view.repositories(),
        uploads: (options) =>
          uploadsOfShown(inner, options, async (upload, inside) => {
            const name = below.outside(inside);
            if (name === undefined) return undefined;
            return { ...upload, repository: name, id: uploadIdsOf(inside).outside(upload.id) };
          }),
        ...withoutOrphans,
      }),
    [history]: historyOf(registry) && mapHistory(rules),
    [verifiesPushes]: registry[verifiesPushes],
  };
  return view;
}

/** The repositories below a prefix, and their names inside (with the prefix) and outside (without it). */
class Below {
  /** The beginning of all names below the prefix. */
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
      `the repository's name is too long: it may have ${Math.max(most, 0)} characters at most here`,
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
   * The start of a list: the name `after`, or the name `from` before it, as some registries accept only well-formed
   * names. No well-formed name stands right before the first name below `a`, as `a-b` and `a.b` stand before `a/`. So
   * the list begins after the last possible name of those.
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

  /** The repositories listed inside that are shown, by their names outside. They come after the name `after`. */
  async *shown(names: AsyncIterable<string>, after: string): AsyncGenerator<string, void, undefined> {
    for await (const name of names) {
      const outside = this.outside(name);
      // All names below the prefix stand together in the list: the names after them need not be read.
      if (outside === undefined && name > this.start) return;
      if (outside !== undefined && name > after) yield outside;
    }
  }

  source(from: MountSource | undefined): MountSource {
    if (typeof from === 'string') return this.inside(from);
    return (repository) => {
      const name = this.outside(repository);
      return name !== undefined && (from === undefined || from(name));
    };
  }

  /** @param from the repository that a mount names */
  at(registry: Registry, repository: string, from?: string): Destination {
    const names = [repository, ...(from === undefined ? [] : [from])].map((name) => [this.inside(name), name] as const);
    const [[inside] = ['']] = names;
    let wording: Wording | undefined;
    const reworded = (error: unknown): unknown => {
      // A longer name may begin with a shorter one.
      wording ??= new Wording([...names.toSorted(([a], [b]) => b.length - a.length), [this.start, '']]);
      return wording.error(error);
    };
    return {
      registry,
      repository: inside,
      source: (source) => this.source(source),
      error: reworded,
      options: (options) => this.#options(options, repository, reworded),
      uploadIds: uploadIdsOf(inside),
    };
  }

  #options<O extends CallOptions>(
    options: O | undefined,
    repository: string,
    reworded: (error: unknown) => unknown,
  ): O | undefined {
    const onEvent = options?.onEvent;
    if (options === undefined || onEvent === undefined) return options;
    return { ...options, onEvent: (event) => onEvent(this.#event(event, repository, reworded)) };
  }

  #event(event: TransferEvent, name: string, reworded: (error: unknown) => unknown): TransferEvent {
    const repository = this.outside(event.repository) ?? name;
    if (event.type === 'mounted') {
      const from = event.from === undefined ? undefined : this.outside(event.from);
      return { ...event, repository, from };
    }
    if (event.type === 'retried') return { ...event, repository, error: reworded(event.error) };
    return { ...event, repository };
  }
}

/** Placeholders for the repository's name in an upload's id: for its form in a URL's path, and for its encoded form. */
const [nameInPath, nameEncoded] = ['{name}', '{encoded-name}'];

/** Upload ids of a registry that is reached over HTTP are URLs, with the repository's name in them. */
function uploadIdsOf(repository: string): UploadIdMapping {
  return {
    outside(id) {
      if (id.includes(nameInPath) || id.includes(nameEncoded)) return id;
      return id.replaceAll(repository, nameInPath).replaceAll(encodeURIComponent(repository), nameEncoded);
    },
    inside: (id) => id.replaceAll(nameInPath, repository).replaceAll(nameEncoded, encodeURIComponent(repository)),
  };
}
