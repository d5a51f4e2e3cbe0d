// Robots as they are stored: one record for each token, with a hash of it.
import type { ResourceActions } from '../../model/index.ts';

/**
 * A robot: a token for a machine, as it is stored. The token itself is not in it.
 *
 * @example for (const { id, user, expires } of await robots.list()) console.log(id, user, expires);
 */
export interface RobotRecord {
  /** The public part of the token, by which it is revoked: 12 hexadecimal digits. */
  readonly id: string;
  /** The user that the token logs in as. Rules judge this name. */
  readonly user: string;
  /** The most that the token may do; undefined: all that the rules allow to its user. */
  readonly scopes: readonly ResourceActions[] | undefined;
  /** When it was made, in milliseconds since 1970. */
  readonly created: number;
  /** When it ends, in milliseconds since 1970; undefined: never. */
  readonly expires: number | undefined;
  /** `sha256:` and the digest of the token's secret part. */
  readonly hash: string;
  /** A text for people. */
  readonly note: string | undefined;
}

/**
 * A place for robots. {@link memoryRobots} and `robotsFile` make one, and a database can be one.
 *
 * @example const store: RobotStore = memoryRobots();
 */
export interface RobotStore {
  /** Reads all robots. */
  read(): Promise<readonly RobotRecord[]>;
  /**
   * Replaces the robots by what `change` makes of them. No other change comes between reading and writing, and a reader
   * sees all of the change or nothing.
   */
  update(change: (robots: readonly RobotRecord[]) => readonly RobotRecord[]): Promise<void>;
}

/**
 * Keeps robots in memory.
 *
 * @example const robots = await openRobots(memoryRobots());
 */
export function memoryRobots(): RobotStore {
  let robots: readonly RobotRecord[] = [];
  return {
    read: () => Promise.resolve(robots),
    update: (change) => {
      robots = change(robots);
      return Promise.resolve();
    },
  };
}
