// The text of a file of robots.
import { isDigest } from '../../model/index.ts';

import { formatScopes, parseScopes } from '../scopes/index.ts';

import type { RobotRecord } from './robot-record.ts';

interface StoredRobot {
  id?: unknown;
  user?: unknown;
  scope?: unknown;
  created?: unknown;
  expires?: unknown;
  hash?: unknown;
  note?: unknown;
}

/**
 * Writes robots as JSON. Times are in the form of RFC 3339, scopes in that of the token protocol.
 *
 * ```json
 * {
 *   "version": 1,
 *   "robots": [
 *     {
 *       "id": "3f0c5a7be210",
 *       "user": "ci",
 *       "scope": "repository:team/app:pull,push",
 *       "created": "2026-12-01T00:00:00.000Z",
 *       "expires": "2027-03-01T00:00:00.000Z",
 *       "hash": "sha256:…",
 *       "note": "the nightly build"
 *     }
 *   ]
 * }
 * ```
 *
 * @example await writeFile('robots.json', formatRobots(await store.read()))
 */
export function formatRobots(robots: readonly RobotRecord[]): string {
  const stored = robots.map(({ id, user, scopes, created, expires, hash, note }) => ({
    id,
    user,
    ...(scopes !== undefined && { scope: formatScopes(scopes) }),
    created: new Date(created).toISOString(),
    ...(expires !== undefined && { expires: new Date(expires).toISOString() }),
    hash,
    ...(note !== undefined && { note }),
  }));
  return `${JSON.stringify({ version: 1, robots: stored }, undefined, 2)}\n`;
}

/**
 * Reads what {@link formatRobots} wrote.
 *
 * @example parseRobots(await readFile('robots.json', 'utf8'))
 * @throws Error that names the faulty entry
 */
export function parseRobots(text: string): RobotRecord[] {
  let document: { version?: unknown; robots?: unknown } | null;
  try {
    document = JSON.parse(text) as typeof document;
  } catch (cause) {
    throw new Error('the file of robots is no JSON', { cause });
  }
  if (document?.version !== 1) throw new Error('the file of robots has another version than 1');
  const { robots } = document;
  if (!Array.isArray(robots)) throw new Error('the file of robots has no list robots');
  const records = robots.map((robot: unknown, i) => parseRobot(`robots[${i}]`, robot));
  const ids = new Set<string>();
  for (const [i, { id }] of records.entries()) {
    if (ids.has(id)) throw new Error(`robots[${i}].id: ${id} is there twice`);
    ids.add(id);
  }
  return records;
}

function parseRobot(path: string, robot: unknown): RobotRecord {
  if (typeof robot !== 'object' || robot === null) throw new Error(`${path}: it must be an object`);
  const { id, user, scope, created, expires, hash, note } = robot as StoredRobot;
  if (typeof id !== 'string' || !/^[0-9a-f]{12}$/.test(id))
    throw new Error(`${path}.id: it must be 12 hexadecimal digits`);
  if (typeof user !== 'string' || user === '') throw new Error(`${path}.user: it must be the name of a user`);
  if (typeof hash !== 'string' || !isDigest(hash)) throw new Error(`${path}.hash: it must be a digest`);
  if (scope !== undefined && typeof scope !== 'string') throw new Error(`${path}.scope: it must be a text`);
  if (note !== undefined && typeof note !== 'string') throw new Error(`${path}.note: it must be a text`);
  return {
    id,
    user,
    scopes: scope === undefined ? undefined : parseScopes(scope),
    created: timeOf(`${path}.created`, created),
    expires: expires === undefined ? undefined : timeOf(`${path}.expires`, expires),
    hash,
    note,
  };
}

function timeOf(path: string, value: unknown): number {
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  if (Number.isNaN(time)) throw new Error(`${path}: it must be a time such as 2027-03-01T00:00:00Z`);
  return time;
}
