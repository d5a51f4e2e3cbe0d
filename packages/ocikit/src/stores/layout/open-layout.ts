// Opening a directory as a registry: one layout for all repositories, or one for each.
import { history, maintenance, verifiesPushes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { UploadSessions } from '../uploads/index.ts';

import type { Durability, Warn } from './files/index.ts';
import {
  BackgroundChecks,
  layoutDeleter,
  layoutHistory,
  layoutLister,
  layoutMaintenance,
  layoutReader,
  LayoutState,
  layoutUploads,
  layoutWriter,
  leaveUsedTimes,
  readUsedTimes,
  takeUsedTimes,
} from './registry/index.ts';
import { LayoutStore } from './root/index.ts';
import type { Ownership } from './root/index.ts';
import { UploadSweeps } from './uploads/index.ts';

/** Options of {@link openLayouts}. */
export interface LayoutsOptions {
  /**
   * `fsync`: acknowledged content survives a loss of power. `none`: it survives the end of the process. Default:
   * `fsync`.
   */
  durability?: Durability | undefined;
  /**
   * Verify what is read as a whole; reading damaged content fails before its last byte. A file that was verified when
   * it was written or read, or by the check in the background, is not hashed again until it changes (its inode, size
   * or times). That check runs in the process that writes: it begins 10 s after the lock was taken, and again each
   * day, at 16 MiB/s or less. It finds damage that changed none of these. Default: false.
   */
  verifyOnRead?: boolean | undefined;
  /**
   * Bytes of small blobs (up to 64 KiB) that stay in memory after they were read. Each read still looks whether the
   * file has changed. 0: none. Default: 16 MiB.
   */
  blobMemory?: number | undefined;
  /** Accept manifests that name missing content. Default: false. */
  sparse?: boolean | undefined;
  /**
   * Only read the directory, also while another process writes: write no file, take no lock, and refuse pushes and
   * deletes with UNSUPPORTED. Default: false.
   */
  readOnly?: boolean | undefined;
  /**
   * Refuse manifests with a media type or artifact type that RFC 6838 does not allow, such as `foo`, with
   * MANIFEST_INVALID. Default: false, as clients push such artifacts.
   */
  strictMediaTypes?: boolean | undefined;
  /** Uploads that may hold bytes at the same time; a further one fails with TOOMANYREQUESTS. Default: 1000. */
  maxUploads?: number | undefined;
  /** Milliseconds after which an upload that no client resumes is removed. Default: one day. */
  uploadExpiry?: number | undefined;
  /**
   * Called for problems that do not stop the registry: damaged files, or entries of other tools that name no
   * repository.
   */
  onWarning?: Warn | undefined;
}

/** Options of {@link openLayout}. */
export interface LayoutOptions extends LayoutsOptions {
  /** The repository of index entries that name none. Without it such entries are left alone. */
  defaultRepository?: string | undefined;
}

/**
 * A registry in a directory. Close it, so that other tools see everything at once; pushed content is safe without
 * that.
 */
export interface LayoutRegistry extends Registry, AsyncDisposable {
  /**
   * Becomes the one process that writes. Otherwise the first write does this. If the lock's owner is on another host
   * or in another container and may be gone, this takes up to 30 s, in which the owner must be silent.
   *
   * Rejects with UNAVAILABLE, naming the owner, if another process writes; with UNSUPPORTED if opened `readOnly`.
   */
  own(): Promise<void>;
  /** Writes each `index.json` that lacks changes. */
  fold(): Promise<void>;
  /** Writes all changes and lets another process write. */
  close(): Promise<void>;
}

/**
 * Opens one OCI image layout with any number of repositories. Opening creates nothing; the first write does.
 *
 * Image specification, "Image Layout".
 *
 * @example
 * await using registry = openLayout('./images', { defaultRepository: 'app' });
 */
export function openLayout(dir: string, options: LayoutOptions = {}): LayoutRegistry {
  return open(dir, true, options);
}

/**
 * Opens a directory with one OCI image layout per repository: `library/alpine` is the layout `<dir>/library/alpine`.
 */
export function openLayouts(dir: string, options: LayoutsOptions = {}): LayoutRegistry {
  return open(dir, false, options);
}

function open(root: string, isShared: boolean, options: LayoutOptions): LayoutRegistry {
  const { durability = 'fsync', defaultRepository, onWarning = () => undefined } = options;
  const { sparse = false, strictMediaTypes = false, verifyOnRead = false, readOnly = false } = options;
  const { maxUploads = 1000, uploadExpiry = 24 * 60 * 60 * 1000, blobMemory = 16 * 1024 * 1024 } = options;
  const ownership: Ownership = {
    async begin() {
      await takeUsedTimes(state.used, usedTimes);
      await sweeps.start();
      checks?.start();
    },
    end: () => leaveUsedTimes(state.used, usedTimes),
  };
  const store = new LayoutStore({
    root,
    isShared,
    isReadOnly: readOnly,
    defaultRepository,
    durability,
    warn: onWarning,
    ownership,
  });
  const usedTimes = { root, path: store.private.usedTimes, files: store.files, warn: onWarning };
  const sweeps = new UploadSweeps({
    dir: store.private.uploads,
    expiry: uploadExpiry,
    isInUse: (id) => known?.has(id) === true,
    assertOwned: () => store.assertOwned(),
    warn: onWarning,
  });
  const state = new LayoutState(store, { sparse, strictMediaTypes, verifyOnRead, blobMemory });
  const checks = verifyOnRead ? new BackgroundChecks(store, state.blobs) : undefined;
  let sessions: Promise<UploadSessions> | undefined;
  let known: UploadSessions | undefined;
  const uploads = (): Promise<UploadSessions> => {
    sessions ??= startSessions().catch((error: unknown) => {
      sessions = undefined;
      throw error;
    });
    return sessions;
  };
  const startSessions = async (): Promise<UploadSessions> => {
    const ids = await store.ids();
    known = new UploadSessions(layoutUploads(state, ids), { maxUploads, expiry: uploadExpiry });
    return known;
  };
  const opened = Date.now();
  let reading: Promise<unknown> | undefined;
  const readTimes = async (): Promise<void> => {
    if (!readOnly) return;
    // A writer has the times in its memory.
    reading ??= store.hasWriter().then((has) => has || readUsedTimes(state.used, usedTimes, opened));
    await reading;
  };
  const close = async (): Promise<void> => {
    sweeps.stop();
    await Promise.all([checks?.stop(), store.close()]);
  };
  return {
    ...layoutReader(state),
    ...layoutWriter(state, uploads),
    ...layoutDeleter(state),
    ...layoutLister(state),
    [maintenance]: layoutMaintenance(state, uploads, readTimes),
    [history]: layoutHistory(store),
    [verifiesPushes]: true,
    own: () => store.own(),
    fold: () => store.fold(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
