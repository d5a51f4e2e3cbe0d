// The text of an htpasswd file: one line `user:hash` for each user. Reading it, and changing it line by line.
import { parseHash } from '../bcrypt/index.ts';
import type { EncodedHash } from '../bcrypt/index.ts';

/** A fault in an htpasswd text. */
export interface HtpasswdProblem {
  /** The line, from 1. */
  readonly line: number;
  /** The fault and its remedy. It contains no hash and no password. */
  readonly message: string;
}

/**
 * An htpasswd text cannot be used. `problems` has all faults, so that one look at the file is enough.
 *
 * @example
 * if (error instanceof HtpasswdError) for (const { line, message } of error.problems) console.error(line, message);
 */
export class HtpasswdError extends Error {
  override readonly name = 'HtpasswdError';
  /** The faults in the order of their lines. */
  readonly problems: readonly HtpasswdProblem[];

  constructor(problems: readonly HtpasswdProblem[]) {
    super(problems.map(({ line, message }) => `line ${line}: ${message}`).join('\n'));
    this.problems = problems;
  }
}

/** Characters in the name of a user. */
const longestName = 255;

/** The reason why a text cannot be the name of a user with a password; undefined if it can. */
export function unfitUserName(user: string): string | undefined {
  if (user === '') return 'the name of the user is empty';
  if (user.includes(':')) return 'the name of a user has no colon: it ends the name in HTTP logins and in this file';
  if (user.startsWith('#')) return 'the name of a user does not start with #: the line would be a comment';
  if (/\p{Cc}/u.test(user)) return 'the name of a user has no control characters';
  if (user.trim() !== user) return 'the name of a user has no spaces around it';
  return user.length > longestName ? `the name of a user has at most ${longestName} characters` : undefined;
}

/**
 * Reads an htpasswd text. Empty lines, and lines that start with `#`, are left out.
 *
 * @throws HtpasswdError
 */
export function parseHtpasswd(text: string): Map<string, EncodedHash> {
  const users = new Map<string, EncodedHash>();
  const lines = new Map<string, number>();
  const problems: HtpasswdProblem[] = [];
  for (const { line, user, hash } of linesOf(text)) {
    const problem = (message: string): void => void problems.push({ line, message });
    if (hash === undefined) {
      problem(`it is not USER:HASH: run \`ocikit htpasswd FILE USER\` to add a user, or put # before a comment`);
      continue;
    }
    const unfit = unfitUserName(user);
    if (unfit !== undefined) {
      problem(`${unfit}: rename the user`);
      continue;
    }
    const earlier = lines.get(user);
    if (earlier !== undefined) {
      problem(`the user ${JSON.stringify(user)} is already on line ${earlier}: remove one of the two lines`);
      continue;
    }
    lines.set(user, line);
    const parsed = parseHash(hash);
    if (typeof parsed !== 'string') users.set(user, parsed);
    else problem(`the user ${JSON.stringify(user)} has ${parsed}: only bcrypt works. ${remedy(user)}`);
  }
  if (problems.length > 0) throw new HtpasswdError(problems);
  return users;
}

function remedy(user: string): string {
  const word = /^[\w@.+-]+$/.test(user) ? user : `'${user.replaceAll("'", String.raw`'\''`)}'`;
  return `Run \`ocikit htpasswd FILE ${word}\`, or \`htpasswd -B -C 10 FILE ${word}\``;
}

interface Line {
  readonly line: number;
  readonly user: string;
  /** Undefined: the line has no colon. */
  readonly hash: string | undefined;
}

function linesOf(text: string): Line[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n');
  return lines.flatMap((raw, index): Line[] => {
    const content = raw.trim();
    if (content === '' || content.startsWith('#')) return [];
    const colon = content.indexOf(':');
    const line = index + 1;
    if (colon === -1) return [{ line, user: '', hash: undefined }];
    return [{ line, user: content.slice(0, colon), hash: content.slice(colon + 1) }];
  });
}

/**
 * Adds a user to an htpasswd text, or replaces its hash. All other lines stay as they are, faulty ones too.
 *
 * @example await writeFile('users', setHtpasswdUser(text, 'alice', await hashPassword('secret')))
 * @param hash see {@link hashPassword}
 * @throws TypeError if the name cannot be that of a user, or the hash is no bcrypt hash
 */
export function setHtpasswdUser(text: string, user: string, hash: string): string {
  const unfit = unfitUserName(user);
  if (unfit !== undefined) throw new TypeError(unfit);
  const parsed = parseHash(hash);
  if (typeof parsed === 'string') throw new TypeError(`the hash of ${JSON.stringify(user)} is ${parsed}`);
  const lines = text.split('\n').map(userOf);
  const first = lines.indexOf(user);
  if (first !== -1) {
    return changeLines(text, (raw, i) => {
      if (lines[i] !== user) return raw;
      return i === first ? `${user}:${hash}` : undefined;
    });
  }
  const ending = text.includes('\r\n') ? '\r\n' : '\n';
  return `${text}${text === '' || text.endsWith('\n') ? '' : ending}${user}:${hash}${ending}`;
}

/**
 * Removes a user from an htpasswd text. All other lines stay as they are.
 *
 * @example removeHtpasswdUser('alice:…\nbob:…\n', 'alice') // 'bob:…\n'
 * @returns undefined if the user is not in it
 */
export function removeHtpasswdUser(text: string, user: string): string | undefined {
  const rest = changeLines(text, (raw) => (userOf(raw) === user ? undefined : raw));
  return rest === text ? undefined : rest;
}

function userOf(raw: string): string | undefined {
  return linesOf(raw)[0]?.user;
}

/** Keeps line endings, and the byte order mark. */
function changeLines(text: string, change: (content: string, index: number) => string | undefined): string {
  const [, mark = '', rest = ''] = /^(\uFEFF?)([^]*)$/.exec(text) ?? [];
  const lines = rest.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const changed = lines.map((raw, i) => {
    const [, content = '', ending = ''] = /^([^]*?)(\r?\n?)$/.exec(raw) ?? [];
    const kept = change(content, i);
    return kept === undefined ? '' : kept + ending;
  });
  return mark + changed.join('');
}
