// Remembers which files have the bytes that their digest says, for as long as they do not change.
import type { Stats } from 'node:fs';

import { RecentlyUsed } from './recently-used.ts';

/** Files whose state is remembered. One takes some 300 bytes. */
const most = 20_000;
/**
 * Milliseconds. A file system's clock may move this rarely, so two changes within this time can leave the same times.
 */
const tick = 20;

/** The numbers that change when a file is replaced or written to. */
export type FileIdentity = Pick<Stats, 'ino' | 'size' | 'mtimeMs' | 'ctimeMs'>;

interface Known {
  identity: FileIdentity;
  isIntact: boolean;
  /** By `performance.now()`. */
  checkedAt: number;
}

/** True if the file has not been replaced or written to between the two looks. */
export function isSameFile(one: FileIdentity, other: FileIdentity): boolean {
  return (
    one.ino === other.ino && one.size === other.size && one.mtimeMs === other.mtimeMs && one.ctimeMs === other.ctimeMs
  );
}

/**
 * True if a write to the file at this moment could leave its identity as it is: its last write and the change of its
 * name were in this tick of the clock. Nothing about such a file may be remembered.
 */
export function mayChangeUnseen({ mtimeMs, ctimeMs }: FileIdentity): boolean {
  return Date.now() - ctimeMs < tick && ctimeMs - mtimeMs < tick;
}

/** The files that were compared with their digests, by path. It forgets the ones that were not used for longest. */
export class VerifiedFiles {
  readonly #intact = new RecentlyUsed<Known>(most);
  /** Apart, so that many intact files do not make it forget a damaged one. */
  readonly #damaged = new RecentlyUsed<Known>(most);

  /** True if the file had the right bytes, and has not changed since. */
  isIntact(path: string, now: FileIdentity): boolean {
    return this.#find(path, now)?.isIntact === true;
  }

  /** True if the file had other bytes, and has not changed since. */
  isDamaged(path: string, now: FileIdentity): boolean {
    return this.#find(path, now)?.isIntact === false;
  }

  /** Milliseconds since the file was compared; Infinity if it was not, or has changed since. */
  age(path: string, now: FileIdentity): number {
    const known = this.#find(path, now);
    return known === undefined ? Infinity : performance.now() - known.checkedAt;
  }

  /** Notes whether the file has the right bytes. It must have had this identity before and after it was read. */
  note(path: string, identity: FileIdentity, isIntact: boolean): void {
    if (isIntact && mayChangeUnseen(identity)) return;
    const { ino, size, mtimeMs, ctimeMs } = identity;
    const known = { identity: { ino, size, mtimeMs, ctimeMs }, isIntact, checkedAt: performance.now() };
    (isIntact ? this.#intact : this.#damaged).set(path, known);
    (isIntact ? this.#damaged : this.#intact).delete(path);
  }

  #find(path: string, now: FileIdentity): Known | undefined {
    const known = this.#damaged.get(path) ?? this.#intact.get(path);
    return known !== undefined && isSameFile(known.identity, now) ? known : undefined;
  }
}
