import { history, maintenance, verifiesPushes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { UploadSessions } from '../uploads/index.ts';

import type { Durability, Warn } from './files/index.ts';
import {
  layoutDeleter,
  layoutHistory,
  layoutLister,
  layoutMaintenance,
  layoutReader,
  LayoutState,
  layoutUploads,
  layoutWriter,
  leaveUsedTimes,
  takeUsedTimes,
} from './registry/index.ts';
import { LayoutStore } from './root/index.ts';
import type { Ownership } from './root/index.ts';
import { UploadSweeps } from './uploads/index.ts';

export interface LayoutsOptions {
  /**
   * `fsync`: what is acknowledged survives the loss of power. `none`: it survives the end of the process.
   * Default: `fsync`.
   */
  durability?: Durability | undefined;
  /** Compute the digest of everything that is read whole; damage ends the reading. Default: false. */
  verifyOnRead?: boolean | undefined;
  /** Accept manifests that name content which is not there. Default: false. */
  sparse?: boolean | undefined;
  /** Uploads that may hold bytes at the same time; one more is TOOMANYREQUESTS. Default: 1000. */
  maxUploads?: number | undefined;
  /** Milliseconds after which an upload that nobody goes on with is gone. Default: one day. */
  uploadExpiry?: number | undefined;
  /** Is told of what is odd but no reason to stop: damaged files, other tools' entries that mean nothing here. */
  onWarning?: Warn | undefined;
}

export interface LayoutOptions extends LayoutsOptions {
  /** Whose entries without a repository's name are; without it they are left alone. */
  defaultRepository?: string | undefined;
}

/** A registry in a directory. Close it: what was pushed is safe anyway, but other tools see it then. */
export interface LayoutRegistry extends Registry, AsyncDisposable {
  /**
   * Becomes the one process that writes, which otherwise the first write does. If the owner of the lock is on another
   * host or in another container and may be gone, this takes up to 30 s: so long it has to be silent.
   *
   * Rejects with UNAVAILABLE, naming the owner, if another process is.
   */
  own(): Promise<void>;
  /** Writes `index.json` where it is behind. */
  fold(): Promise<void>;
  close(): Promise<void>;
}

/**
 * One OCI image layout with any number of repositories. Opening creates nothing; the first write does.
 *
 * Image specification, "Image Layout".
 *
 * @example
 * await using registry = openLayout('./images', { defaultRepository: 'app' });
 */
export function openLayout(dir: string, options: LayoutOptions = {}): LayoutRegistry {
  return open(dir, true, options);
}

/** One OCI image layout for each repository: `library/alpine` is the layout `<dir>/library/alpine`. */
export function openLayouts(dir: string, options: LayoutsOptions = {}): LayoutRegistry {
  return open(dir, false, options);
}

function open(root: string, isShared: boolean, options: LayoutOptions): LayoutRegistry {
  const { durability = 'fsync', defaultRepository, sparse = false, verifyOnRead = false } = options;
  const { maxUploads = 1000, uploadExpiry = 24 * 60 * 60 * 1000, onWarning = () => undefined } = options;
  const ownership: Ownership = {
    async begin() {
      await takeUsedTimes(state.used, usedTimes);
      await sweeps.start();
    },
    end: () => leaveUsedTimes(state.used, usedTimes),
  };
  const store = new LayoutStore({ root, isShared, defaultRepository, durability, warn: onWarning, ownership });
  const usedTimes = { root, path: store.private.usedTimes, files: store.files, warn: onWarning };
  const sweeps = new UploadSweeps({
    dir: store.private.uploads,
    expiry: uploadExpiry,
    isInUse: (id) => known?.has(id) === true,
    assertOwned: () => store.assertOwned(),
    warn: onWarning,
  });
  const state = new LayoutState(store, { sparse, verifyOnRead });
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
  const close = (): Promise<void> => {
    sweeps.stop();
    return store.close();
  };
  return {
    ...layoutReader(state),
    ...layoutWriter(state, uploads),
    ...layoutDeleter(state),
    ...layoutLister(state),
    [maintenance]: layoutMaintenance(state, uploads),
    [history]: layoutHistory(store),
    [verifiesPushes]: true,
    own: () => store.own(),
    fold: () => store.fold(),
    close,
    [Symbol.asyncDispose]: close,
  };
}
