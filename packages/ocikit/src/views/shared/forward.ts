import type {
  BlobUpload,
  history,
  History,
  maintenance,
  Maintenance,
  Registry,
  verifiesPushes,
} from '../../model/index.ts';

/**
 * What a view makes: a registry that says of its maintenance and its history, too, what becomes of them. A method that is added to
 * {@link Registry} later is missing from every view, and does not compile, until somebody has decided what it does there.
 */
export type View = Required<Pick<Registry, RegistryMethod>> & {
  readonly [maintenance]: Maintenance | undefined;
  readonly [history]: History | undefined;
  readonly [verifiesPushes]: true | undefined;
};

/** What can be called of a registry. */
export type RegistryMethod = Exclude<keyof Registry, typeof maintenance | typeof history | typeof verifiesPushes>;

/** What can be called of a registry's maintenance. */
export type MaintenanceMethod = keyof Maintenance;

/** The methods that change nothing and name one repository. */
export const reads = ['getBlob', 'getManifest', 'getTag', 'resolveBlob', 'resolveManifest', 'resolveTag'] as const;

/** The methods that list. */
export const lists = ['repositories', 'tags', 'referrers'] as const;

/**
 * These methods as they are, bound. A view names each that it leaves alone: one that nobody thought of is not let through.
 *
 * @example const view: View = { ...forward(registry, ...reads, ...lists), pushBlob: refuse, … };
 */
export function forward<M extends RegistryMethod>(registry: Registry, ...methods: readonly M[]): Pick<Registry, M> {
  return bound(registry, methods);
}

/** As {@link forward}, of what a registry offers under {@link maintenance}. */
export function forwardMaintenance<M extends MaintenanceMethod>(
  inner: Maintenance,
  ...methods: readonly M[]
): Pick<Maintenance, M> {
  return bound(inner, methods);
}

function bound<T extends object, M extends keyof T>(target: T, methods: readonly M[]): Pick<T, M> {
  const entries = methods.map((method): [M, unknown] => {
    const value: unknown = target[method];
    const call: unknown = typeof value === 'function' ? value.bind(target) : value;
    return [method, call];
  });
  return Object.fromEntries(entries) as Pick<T, M>;
}

/** What a view changes of an upload. */
export interface UploadChanges {
  /** The id that callers see, of the one that it has now. */
  id?: ((id: string) => string) | undefined;
  append?: BlobUpload['append'] | undefined;
  commit?: BlobUpload['commit'] | undefined;
  close?: BlobUpload['close'] | undefined;
  cancel?: BlobUpload['cancel'] | undefined;
  read?: BlobUpload['read'] | undefined;
}

/** An upload, some of it changed. What changes while it goes on, as its id and its size, stays true. */
export function forwardUpload(upload: BlobUpload, changes: UploadChanges = {}): BlobUpload {
  const close = changes.close ?? upload.close.bind(upload);
  const read = changes.read ?? upload.read?.bind(upload);
  const forwarded: Required<Omit<BlobUpload, 'read' | 'minimumChunk'>> & Pick<BlobUpload, 'minimumChunk'> = {
    get id() {
      return changes.id === undefined ? upload.id : changes.id(upload.id);
    },
    get size() {
      return upload.size;
    },
    get minimumChunk() {
      return upload.minimumChunk;
    },
    append: changes.append ?? upload.append.bind(upload),
    commit: changes.commit ?? upload.commit.bind(upload),
    close,
    cancel: changes.cancel ?? upload.cancel.bind(upload),
    [Symbol.asyncDispose]: close,
  };
  return read === undefined ? forwarded : Object.assign(forwarded, { read });
}
