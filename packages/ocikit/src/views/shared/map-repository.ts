// Builds the methods of a view that work on one repository: a rule says where each call goes, and under which name.
import { historyOf, maintenanceOf, RegistryError } from '../../model/index.ts';
import type {
  BlobUpload,
  CallOptions,
  History,
  ListOptions,
  Maintenance,
  MountSource,
  Registry,
  StoredUpload,
} from '../../model/index.ts';

import { forwardUpload } from './forward.ts';
import type { MaintenanceMethod, RegistryMethod } from './forward.ts';
import { usageOf } from './usage.ts';
import { watchContent } from './watched-content.ts';

/** The methods of a maintenance that name no repository. */
type WholeMethod = 'bookmark' | 'orphans' | 'problems' | 'removeOrphan' | 'usage';

/**
 * Each method that names a repository: those of a registry, of its maintenance and of its history. A method that is
 * added to one of them later becomes a part of this, so no view compiles until it has a rule for that method.
 */
export type RepositoryMethod =
  | Exclude<RegistryMethod, 'repositories'>
  | `maintenance.${Exclude<MaintenanceMethod, WholeMethod>}`
  | `history.${keyof History}`;

/** A call that names a repository, as its caller made it. */
export interface RepositoryCall {
  /** The name that the caller used. It has not been checked. */
  readonly repository: string;
  /** The caller's; undefined where the method takes none. */
  readonly options: CallOptions | undefined;
  /** The repository that a mount names as its source. */
  readonly from?: string | undefined;
}

/** The target of a call, and the changes of its arguments and results on the way. */
export interface Destination {
  /** The registry that gets the call; its maintenance or its history for a method of those. */
  readonly registry: Registry;
  /** The repository's name there. */
  readonly repository: string;
  /** Changes the options of a call. Default: they stay as they are. */
  readonly options?: (<O extends CallOptions>(options: O | undefined) => O | undefined) | undefined;
  /** Changes the source of a mount. Default: it stays as it is. */
  readonly source?: ((from: MountSource | undefined) => MountSource | Promise<MountSource>) | undefined;
  /** Changes an error for the caller. Default: it stays as it is. */
  readonly error?: ((error: unknown) => unknown) | undefined;
  /** Changes ids of uploads for the caller, and back. Default: they stay as they are. */
  readonly uploadIds?: UploadIdMapping | undefined;
}

/** The ids of uploads that callers see, and those that the registry has. */
export interface UploadIdMapping {
  /** The caller's id, from the registry's. */
  outside(id: string): string;
  /** The registry's id, from the caller's. */
  inside(id: string): string;
}

/** Decides where a call goes. It throws to refuse the call; callers get that error unchanged. */
export type RepositoryRule = (call: RepositoryCall) => Destination | Promise<Destination>;

/** A rule for each method. */
export type RepositoryRules = Readonly<Record<RepositoryMethod, RepositoryRule>>;

/** The methods of a registry that push to one repository. */
export const pushes = ['pushBlob', 'startUpload', 'resumeUpload', 'mountBlob', 'pushManifest'] as const;

/** The methods of a registry that delete from one repository. */
export const deletes = ['deleteBlob', 'deleteManifest', 'deleteTag'] as const;

/**
 * One rule for several methods. A view names each method: one that was forgotten does not compile.
 *
 * @example const rules: RepositoryRules = { ...rule(readable, ...reads, 'tags'), ...rule(writable, ...pushes), … };
 */
export function rule<M extends RepositoryMethod>(
  of: RepositoryRule,
  ...methods: readonly M[]
): Record<M, RepositoryRule> {
  return Object.fromEntries(methods.map((method) => [method, of])) as Record<M, RepositoryRule>;
}

/** The methods of a registry that name a repository, each sent where its rule says. */
export function mapRepository(
  rules: RepositoryRules,
): Required<Pick<Registry, Exclude<RegistryMethod, 'repositories'>>> {
  return {
    getBlob: (repository, digest, options) =>
      call(rules.getBlob, repository, options, async (to, own) => {
        const content = await to.registry.getBlob(to.repository, digest, own);
        return to.error === undefined ? content : watchContent(content, { failed: to.error });
      }),
    getManifest: (repository, digest, options) =>
      call(rules.getManifest, repository, options, (to, own) => to.registry.getManifest(to.repository, digest, own)),
    getTag: (repository, tag, options) =>
      call(rules.getTag, repository, options, (to, own) => to.registry.getTag(to.repository, tag, own)),
    resolveBlob: (repository, digest, options) =>
      call(rules.resolveBlob, repository, options, (to, own) => to.registry.resolveBlob(to.repository, digest, own)),
    resolveManifest: (repository, digest, options) =>
      call(rules.resolveManifest, repository, options, (to, own) =>
        to.registry.resolveManifest(to.repository, digest, own),
      ),
    resolveTag: (repository, tag, options) =>
      call(rules.resolveTag, repository, options, (to, own) => to.registry.resolveTag(to.repository, tag, own)),

    pushBlob: (repository, blob, source, options) =>
      call(rules.pushBlob, repository, options, (to, own) => to.registry.pushBlob(to.repository, blob, source, own)),
    startUpload: (repository, options) =>
      call(rules.startUpload, repository, options, async (to, own) =>
        uploadFrom(to, await to.registry.startUpload(to.repository, own)),
      ),
    resumeUpload: (repository, id, options) =>
      call(rules.resumeUpload, repository, options, async (to, own) =>
        uploadFrom(to, await to.registry.resumeUpload(to.repository, to.uploadIds?.inside(id) ?? id, own)),
      ),
    mountBlob(from, repository, digest, options) {
      const named: RepositoryRule = (about) => rules.mountBlob(typeof from === 'string' ? { ...about, from } : about);
      return call(named, repository, options, async (to, own) => {
        const source = to.source === undefined ? from : await to.source(from);
        const result = await to.registry.mountBlob(source, to.repository, digest, own);
        return result.upload === undefined ? result : { upload: uploadFrom(to, result.upload) };
      });
    },
    pushManifest: (repository, bytes, mediaType, options) =>
      call(rules.pushManifest, repository, options, (to, own) =>
        to.registry.pushManifest(to.repository, bytes, mediaType, own),
      ),

    deleteBlob: (repository, digest, options) =>
      call(rules.deleteBlob, repository, options, (to, own) => to.registry.deleteBlob(to.repository, digest, own)),
    deleteManifest: (repository, digest, options) =>
      call(rules.deleteManifest, repository, options, (to, own) =>
        to.registry.deleteManifest(to.repository, digest, own),
      ),
    deleteTag: (repository, tag, options) =>
      call(rules.deleteTag, repository, options, (to, own) => to.registry.deleteTag(to.repository, tag, own)),

    tags: (repository, options) =>
      list(rules.tags, repository, options, (to, own) => to.registry.tags(to.repository, own)),
    referrers: (repository, digest, options) =>
      list(rules.referrers, repository, options, (to, own) => to.registry.referrers(to.repository, digest, own)),
  };
}

/** The parts of a maintenance that no rule decides about, as they name no repository. */
export interface WholeMaintenance extends Pick<Maintenance, Exclude<WholeMethod, 'bookmark' | 'problems' | 'usage'>> {
  /** The repositories that the view shows; their content is its usage. */
  repositories(): AsyncIterable<string>;
  /** The uploads of all repositories that the view shows. */
  uploads(options: ListOptions | undefined): AsyncIterable<StoredUpload>;
}

/** A maintenance whose methods that name a repository are sent where their rules say. */
export function mapMaintenance(rules: RepositoryRules, whole: WholeMaintenance): Maintenance {
  const own: Maintenance = {
    manifests: (repository, options) =>
      list(rules['maintenance.manifests'], repository, options, (to, at) =>
        maintenanceAt(to).manifests(to.repository, at),
      ),
    blobs: (repository, options) =>
      list(rules['maintenance.blobs'], repository, options, (to, at) => maintenanceAt(to).blobs(to.repository, at)),
    uploads: (repository, options) =>
      repository === undefined
        ? whole.uploads(options)
        : list(rules['maintenance.uploads'], repository, options, (to, at) =>
            storedUploadsFrom(to, repository, maintenanceAt(to).uploads(to.repository, at)),
          ),
    orphans: (options) => whole.orphans(options),
    readManifest: (repository, digest, options) =>
      call(rules['maintenance.readManifest'], repository, options, (to, at) =>
        maintenanceAt(to).readManifest(to.repository, digest, at),
      ),
    verify: (repository, digest, options) =>
      call(rules['maintenance.verify'], repository, options, (to, at) =>
        maintenanceAt(to).verify(to.repository, digest, at),
      ),
    removeUnused: (repository, digest, options) =>
      call(rules['maintenance.removeUnused'], repository, undefined, (to) =>
        maintenanceAt(to).removeUnused(to.repository, digest, options),
      ),
    removeOrphan: (digest, options) => whole.removeOrphan(digest, options),
    quarantine: (repository, digest) =>
      call(rules['maintenance.quarantine'], repository, undefined, (to) =>
        maintenanceAt(to).quarantine(to.repository, digest),
      ),
    lease: (repository, digests) =>
      call(rules['maintenance.lease'], repository, undefined, (to) => maintenanceAt(to).lease(to.repository, digests)),
    usage: () => usageOf(whole.repositories(), own),
  };
  return own;
}

/** A history whose calls are sent where their rules say. */
export function mapHistory(rules: RepositoryRules): History {
  return {
    moves: (repository, options) =>
      list(rules['history.moves'], repository, options, (to, own) => {
        const there = historyOf(to.registry);
        if (there === undefined) throw new RegistryError('UNSUPPORTED', 'this registry keeps no history of tags');
        return there.moves(to.repository, own);
      }),
  };
}

function maintenanceAt(to: Destination): Maintenance {
  const there = maintenanceOf(to.registry);
  if (there === undefined) throw new RegistryError('UNSUPPORTED', 'this registry has no maintenance');
  return there;
}

async function call<T, O extends CallOptions>(
  decide: RepositoryRule,
  repository: string,
  options: O | undefined,
  run: (to: Destination, options: O | undefined) => Promise<T>,
): Promise<T> {
  const to = await decide({ repository, options });
  try {
    return await run(to, optionsFor(to, options));
  } catch (error) {
    throw errorFrom(to, error);
  }
}

async function* list<T, O extends CallOptions>(
  decide: RepositoryRule,
  repository: string,
  options: O | undefined,
  run: (to: Destination, options: O | undefined) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const to = await decide({ repository, options });
  try {
    yield* run(to, optionsFor(to, options));
  } catch (error) {
    throw errorFrom(to, error);
  }
}

function optionsFor<O extends CallOptions>(to: Destination, options: O | undefined): O | undefined {
  return to.options === undefined ? options : to.options(options);
}

function errorFrom(to: Destination, error: unknown): unknown {
  return to.error === undefined ? error : to.error(error);
}

/** An upload of a destination, as the caller gets it. */
function uploadFrom(to: Destination, upload: BlobUpload): BlobUpload {
  const { error, uploadIds } = to;
  if (error === undefined && uploadIds === undefined && to.options === undefined) return upload;
  const run = async <T>(step: () => Promise<T>): Promise<T> => {
    try {
      return await step();
    } catch (failure) {
      throw errorFrom(to, failure);
    }
  };
  const read = upload.read?.bind(upload);
  return forwardUpload(upload, {
    id: uploadIds && ((id) => uploadIds.outside(id)),
    append: (source, options) => run(() => upload.append(source, optionsFor(to, options))),
    commit: (digest, options) => run(() => upload.commit(digest, optionsFor(to, options))),
    close: () => run(() => upload.close()),
    cancel: (options) => run(() => upload.cancel(optionsFor(to, options))),
    read: read && ((range) => watchContent(read(range), { failed: error })),
  });
}

async function* storedUploadsFrom(
  { uploadIds }: Destination,
  repository: string,
  uploads: AsyncIterable<StoredUpload>,
): AsyncGenerator<StoredUpload, void, undefined> {
  if (uploadIds === undefined) {
    yield* uploads;
    return;
  }
  for await (const upload of uploads) yield { ...upload, repository, id: uploadIds.outside(upload.id) };
}
