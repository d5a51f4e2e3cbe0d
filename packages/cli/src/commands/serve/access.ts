// Protects the server of `ocikit serve`: files of users, tokens and rules, which are read again when they change.
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { identityOf } from 'ocikit';
import type { Registry } from 'ocikit';
import {
  accessRules,
  combineUsers,
  guardLogins,
  htpasswdFile,
  keysFile,
  memoryKeys,
  openSigningKeys,
  tokenIssuer,
  watchFile,
  watchRobots,
} from 'ocikit/auth';
import type { AccessRules, RulesDocument, Users } from 'ocikit/auth';
import { accessControl } from 'ocikit/server';
import type { Logger, Middleware } from 'ocikit/server';
import { accessChecker } from 'ocikit/views';

import type { AccessFlags } from './access-options.ts';

/** The name of the service in challenges and tokens. */
const service = 'ocikit';

/** A protected registry. */
export interface Protection {
  /** The registry, each call judged. */
  readonly registry: Registry;
  /** Authenticates requests, and answers the token endpoint. */
  readonly middleware: Middleware;
  /** Reads all files now. */
  reload(): Promise<void>;
  /** Ends the watch over the files. */
  close(): void;
}

interface Watched {
  reload(): unknown;
  close(): void;
}

/** Opens the files of a protected server. A faulty one ends the start; later ones are logged, and the former stay. */
export async function protect(
  registry: Registry,
  flags: AccessFlags & { root: string; memory?: true },
  logger: Logger,
): Promise<Protection> {
  const files: Watched[] = [];
  const onError = (error: Error): void => logger.error('a file of access control cannot be used', { error });
  const users = await openUsers(flags, files, onError);
  const rules = await openRules(flags, files, onError);
  const keys = await openSigningKeys(await keyStore(flags));
  const tokens = tokenIssuer({ keys, users, service, issuer: service });
  const { middleware, check } = accessControl({
    rules,
    tokens,
    users,
    service,
    publicUrl: flags.publicUrl,
    certificateUser: ({ subject, expires }) =>
      typeof subject['CN'] === 'string' ? identityOf(subject['CN'], { expires: expires.getTime() }) : undefined,
    audit: ({ allowed, resource, action, ...entry }) => {
      if (!allowed) logger.warn('refused', { action, ...entry });
      // A push of an image has many requests, and the last one is its manifest.
      else if (resource === 'manifest' && action !== 'pull') logger.info?.('allowed', { action, ...entry });
    },
  });
  return {
    registry: accessChecker(registry, check),
    middleware,
    async reload() {
      // A faulty file must not end the server.
      await Promise.all(files.map(async (file) => file.reload()).map((read) => read.catch(onError)));
    },
    close() {
      for (const file of files) file.close();
    },
  };
}

async function openUsers(flags: AccessFlags, files: Watched[], onError: (error: Error) => void): Promise<Users> {
  const all: Users[] = [];
  if (flags.robots !== undefined) {
    const robots = await watchRobots(flags.robots, { onError });
    files.push(robots);
    all.push(robots);
  }
  if (flags.htpasswd !== undefined) {
    const file = await found(flags.htpasswd, `make it with: ocikit htpasswd ${flags.htpasswd} USER`, (path) =>
      htpasswdFile(path, { onError }),
    );
    files.push(file);
    all.push(guardLogins(file));
  }
  return combineUsers(...all);
}

/** The rules of the file, else those of the flags. */
async function openRules(
  { access, anonymous }: AccessFlags,
  files: Watched[],
  onError: (error: Error) => void,
): Promise<AccessRules> {
  const everybody: RulesDocument['rules'] =
    anonymous === 'pull' ? [{ allow: 'pull', repositories: '**', subjects: 'anonymous' }] : [];
  if (access === undefined) {
    const all = ['push', 'overwrite', 'delete', 'history'] as const;
    return accessRules({ rules: [{ allow: [...all], repositories: '**', subjects: 'authenticated' }, ...everybody] });
  }
  const parse = (text: string): AccessRules => {
    const document = parseJson(text) as RulesDocument;
    // The whole document is judged first, so that errors name places in the file.
    accessRules(document);
    return accessRules({ ...document, rules: [...document.rules, ...everybody] });
  };
  const file = await found(access, 'the guide on access has examples', (path) => watchFile(path, parse, { onError }));
  files.push(file);
  return {
    decide: (identity, action, repository) => file.value.decide(identity, action, repository),
    mayList: (identity, repository) => file.value.mayList(identity, repository),
    mayListSome: (identity) => file.value.mayListSome(identity),
  };
}

/** Opens a file. The error for one that is missing or faulty names it, and says what to do. */
async function found<File>(path: string, hint: string, open: (path: string) => Promise<File>): Promise<File> {
  try {
    return await open(path);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    if ('code' in cause && cause.code === 'ENOENT') throw new Error(`${path} does not exist: ${hint}`, { cause });
    throw cause.message.includes(path) ? cause : new Error(`${path}: ${cause.message}`, { cause });
  }
}

function parseJson(text: string): unknown {
  let fault: unknown;
  try {
    return JSON.parse(text);
  } catch (error) {
    fault = error;
  }
  // The engine's message may quote the file, and that may be another one than was meant. So it is no cause either.
  const [, position] = /at position (\d+)/.exec(fault instanceof Error ? fault.message : '') ?? [];
  const before = position === undefined ? [] : text.slice(0, Number(position)).split('\n');
  const where = before.length === 0 ? '' : `: line ${before.length}, column ${(before.at(-1) ?? '').length + 1}`;
  throw new Error(`the rules are no JSON${where}`);
}

async function keyStore({
  tokenKeys,
  memory,
  root,
}: AccessFlags & { root: string; memory?: true }): Promise<ReturnType<typeof keysFile>> {
  if (tokenKeys === undefined && memory === true) return memoryKeys();
  const path = tokenKeys ?? join(root, '.ocikit', 'token-keys.json');
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return keysFile(path);
}
