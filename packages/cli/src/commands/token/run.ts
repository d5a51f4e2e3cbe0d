// Runs `ocikit token`: tokens for machines in a file.
import { formatScopes, openRobots, parseScopes, robotsFile } from 'ocikit/auth';
import type { ListedRobot } from 'ocikit/auth';

import { outputOf } from '../../output/results.ts';

/** The options of `ocikit token list`. */
export interface ListFlags {
  json?: true;
}

/** The options of `ocikit token create`. */
export interface CreateFlags extends ListFlags {
  scope?: string[];
  /** Milliseconds from now. */
  expires?: number;
  note?: string;
}

/** Makes a token and prints it. */
export async function createToken(file: string, user: string, flags: CreateFlags): Promise<void> {
  const scopes = flags.scope?.flatMap((text) => {
    const parsed = parseScopes(text);
    if (parsed.length === 0) throw new Error(`${JSON.stringify(text)} is no scope: write repository:NAME:ACTIONS`);
    return parsed;
  });
  const robots = await openRobots(robotsFile(file));
  const expires = flags.expires === undefined ? undefined : Date.now() + flags.expires;
  const { token, robot } = await robots.create({ user, scopes, expires, note: flags.note });
  if (flags.json !== true) process.stderr.write(`${describe(robot)}\nThe token is the password of ${robot.user}:\n`);
  await outputOf(flags).write({ ...asJson(robot), token }, token);
}

/** Prints the tokens of a file. */
export async function listTokens(file: string, flags: ListFlags): Promise<void> {
  const robots = await openRobots(robotsFile(file));
  const output = outputOf(flags);
  for (const robot of await robots.list()) await output.write(asJson(robot), describe(robot));
}

/** Revokes a token. */
export async function revokeToken(file: string, id: string): Promise<void> {
  const robots = await openRobots(robotsFile(file));
  if (!(await robots.revoke(id))) {
    throw new Error(`${file} has no token ${JSON.stringify(id)}: ocikit token list ${file} shows them`);
  }
  process.stderr.write(`the token ${id} is revoked\n`);
}

function asJson({ id, user, scopes, created, expires, note, state }: ListedRobot): object {
  return {
    id,
    user,
    scopes: scopes === undefined ? null : formatScopes(scopes),
    created: new Date(created).toISOString(),
    expires: expires === undefined ? null : new Date(expires).toISOString(),
    note: note ?? null,
    state,
  };
}

function describe({ id, user, scopes, expires, note, state }: ListedRobot): string {
  const end = expires === undefined ? 'no end' : `${ends[state]} ${new Date(expires).toISOString().slice(0, 16)}Z`;
  const limit = scopes === undefined ? 'all that its user may do' : formatScopes(scopes);
  return `${id}  ${user}  ${end}  ${limit}${note === undefined ? '' : `  ${note}`}`;
}

const ends: Readonly<Record<ListedRobot['state'], string>> = {
  valid: 'until',
  ending: 'ends soon:',
  expired: 'expired:',
};
