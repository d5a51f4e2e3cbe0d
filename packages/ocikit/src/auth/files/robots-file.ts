// A file of robots, which several processes may read and change.
import { formatRobots, openRobots, parseRobots } from '../robots/index.ts';
import type { Robots, RobotsOptions, RobotStore } from '../robots/index.ts';

import { listFile } from './list-file.ts';
import { watchFile } from './watched-file.ts';
import type { WatchFileOptions } from './watched-file.ts';

/**
 * Keeps robots in a file of JSON (see {@link formatRobots}), which is made with the mode 0600. A change replaces the
 * file in one step, and a lock beside it (`PATH.lock`) keeps the changes of other processes out meanwhile. A missing
 * file has no robots.
 *
 * @example const robots = await openRobots(robotsFile('robots.json'));
 */
export function robotsFile(path: string): RobotStore {
  return listFile(path, { format: formatRobots, parse: parseRobots });
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
