// Passes methods on unchanged: of a registry, of its maintenance and of an upload.
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
 * A registry made by a view, which has to decide about maintenance and history as well. A method that is added to
 * {@link Registry} later is missing from every view: no view compiles until it has decided about that method.
 */
export type View = Required<Pick<Registry, RegistryMethod>> & {
  readonly [maintenance]: Maintenance | undefined;
  readonly [history]: History | undefined;
  readonly [verifiesPushes]: true | undefined;
};

/** The methods of a registry. */
export type RegistryMethod = Exclude<keyof Registry, typeof maintenance | typeof history | typeof verifiesPushes>;

/** The methods of a registry's maintenance. */
export type MaintenanceMethod = keyof Maintenance;

/** The methods that change nothing and name one repository. */
export const reads = ['getBlob', 'getManifest', 'getTag', 'resolveBlob', 'resolveManifest', 'resolveTag'] as const;

/** The methods that list. */
export const lists = ['repositories', 'tags', 'referrers'] as const;

/**
 * These methods, unchanged and bound. A view names each method that it leaves alone, so no forgotten method passes.
 *
 * @example const view: View = { ...forward(registry, ...reads, ...lists), pushBlob: refuse, … };
 */
export function forward<M extends RegistryMethod>(registry: Registry, ...methods: readonly M[]): Pick<Registry, M> {
  return bound(registry, methods);
}

/** As {@link forward}, for the methods of a registry's {@link maintenance}. */
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

/** The parts of an upload that a view changes. The other parts stay as they are. */
export interface UploadChanges {
  /** The id that callers see, from the id that the upload has now. */
  id?: ((id: string) => string) | undefined;
  /** In place of `append`. */
  append?: BlobUpload['append'] | undefined;
  /** In place of `commit`. */
  commit?: BlobUpload['commit'] | undefined;
  /** In place of `close`. */
  close?: BlobUpload['close'] | undefined;
  /** In place of `cancel`. */
  cancel?: BlobUpload['cancel'] | undefined;
  /** In place of `read`. */
  read?: BlobUpload['read'] | undefined;
}

/** An upload with some parts changed. Its id and size are read anew at each access, as they change. */
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
