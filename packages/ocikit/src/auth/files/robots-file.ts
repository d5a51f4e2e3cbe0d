// A file of robots, which several processes may read and change.
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { isMissing, readRegular, statsOf } from '../../stores/disk/index.ts';
import { formatRobots, openRobots, parseRobots } from '../robots/index.ts';
import type { RobotRecord, Robots, RobotsOptions, RobotStore } from '../robots/index.ts';

import { FileLock } from './file-lock.ts';
import { watchFile } from './watched-file.ts';
import type { WatchFileOptions } from './watched-file.ts';

/**
 * Keeps robots in a file of JSON (see {@link formatRobots}) with the mode 0600. A change replaces the file in one step,
 * and a lock beside it (`PATH.lock`) keeps the changes of other processes out meanwhile. A missing file has no robots.
 *
 * @example const robots = await openRobots(robotsFile('robots.json'));
 */
export function robotsFile(path: string): RobotStore {
  return {
    read: () => read(path),
    async update(change) {
      const lock = await FileLock.acquire(`${path}.lock`);
      try {
        await replace(path, formatRobots(change(await read(path))));
      } finally {
        await lock.release();
      }
    },
  };
}

/** Options of {@link watchRobots}. */
export interface WatchRobotsOptions
  extends RobotsOptions, Omit<WatchFileOptions<unknown>, 'onChange' | 'whenMissing'> {}

/** Robots of a watched file. */
export interface WatchedRobots extends Robots {
  /** Ends the watch. The robots stay as they are. */
  close(): void;
}

/**
 * Opens the robots of a file, and reads it again when it has changed: a token that another process has revoked ends
 * within a second.
 *
 * @example
 * const robots = await watchRobots('robots.json', { onError: (error) => console.error(error.message) });
 * const users = combineUsers(robots, guardLogins(await htpasswdFile('users')));
 */
export async function watchRobots(path: string, options: WatchRobotsOptions = {}): Promise<WatchedRobots> {
  let robots: Robots | undefined;
  // The watch comes first, so that no change falls between it and the first reading.
  const file = await watchFile(path, parseRobots, {
    interval: options.interval,
    whenMissing: formatRobots([]),
    onError: options.onError,
    onChange: () => {
      robots?.reload().catch((error: unknown) => options.onError?.(error as Error));
    },
  });
  try {
    robots = await openRobots(robotsFile(path), options);
  } catch (error) {
    file.close();
    throw error;
  }
  return Object.assign(robots, { close: () => file.close() });
}

async function read(path: string): Promise<readonly RobotRecord[]> {
  let text: string;
  try {
    text = (await readRegular(path)).toString();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  try {
    return parseRobots(text);
  } catch (cause) {
    throw new Error(`${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Writes a file beside it first, so that readers and crashes find the old or the new content. */
async function replace(link: string, text: string): Promise<void> {
  const path = await realpath(link).catch(() => link);
  const before = statsOf(path, statSync);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      // If root changes the file, the server must still be able to read it.
      if (before !== undefined && process.getuid?.() === 0) await handle.chown(before.uid, before.gid);
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
