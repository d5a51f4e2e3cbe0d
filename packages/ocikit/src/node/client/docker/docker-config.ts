// Reads the files in which docker and podman keep credentials.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** A file of credentials, as docker and podman write it. */
export interface DockerConfig {
  /** The path of the file, or the name of the environment variable. For messages. */
  source: string;
  /**
   * Credentials, by host, by host and path prefix of repositories, or by URL. An entry throws an Error if it is
   * malformed: it must not keep other hosts from theirs.
   */
  auths: Readonly<Record<string, () => DockerAuth>>;
  /** The credential helper of each host. An entry throws an Error if it is malformed. */
  credHelpers: Readonly<Record<string, () => string>>;
  /** The credential helper of all other hosts. */
  credsStore: string | undefined;
}

/** An entry of `auths`. Fields that are empty in the file are left out. */
export type DockerAuth = Readonly<
  Partial<Record<'auth' | 'username' | 'password' | 'identitytoken' | 'registrytoken', string>>
>;

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads all files of credentials that exist, in the order of their priority:
 *
 * 1. the content of the variable `DOCKER_AUTH_CONFIG`
 * 2. `config.json` in the directory `DOCKER_CONFIG`
 * 3. the file `REGISTRY_AUTH_FILE`
 * 4. `.docker/config.json` in the home directory, unless `DOCKER_CONFIG` is set
 * 5. podman's `containers/auth.json`, in the run-time directory and in the configuration directory
 *
 * @returns a function for each place, which throws an Error if a file cannot be read or is malformed: it must not keep
 * other places from being read. The message shows none of its content
 */
export async function readDockerConfigs(env: Environment): Promise<(() => DockerConfig | undefined)[]> {
  const inline = env['DOCKER_AUTH_CONFIG'];
  const files = await Promise.allSettled(placesOf(env).map((path) => readConfig(path)));
  const places = files.map((file) => () => {
    if (file.status === 'rejected') throw file.reason;
    return file.value;
  });
  if (inline === undefined || inline === '') return places;
  return [() => parseDockerConfig(inline, 'DOCKER_AUTH_CONFIG'), ...places];
}

function placesOf(env: Environment): string[] {
  // Another environment means another home directory as well.
  const own = env === process.env;
  const home = env[process.platform === 'win32' ? 'USERPROFILE' : 'HOME'] ?? (own ? homedir() : undefined);
  const docker = env['DOCKER_CONFIG'];
  const run = env['XDG_RUNTIME_DIR'];
  const places: [string | undefined, ...string[]][] = [
    [docker, 'config.json'],
    [env['REGISTRY_AUTH_FILE']],
    [docker ? undefined : home, '.docker', 'config.json'],
    run
      ? [run, 'containers', 'auth.json']
      : [own ? '/run/containers' : undefined, String(process.getuid?.()), 'auth.json'],
    [env['XDG_CONFIG_HOME'] ?? (home && join(home, '.config')), 'containers', 'auth.json'],
  ];
  return places.flatMap(([directory, ...names]) => (directory ? [join(directory, ...names)] : []));
}

/** Reads a file, and refuses a FIFO, which would hang a thread. */
async function readRegular(path: string): Promise<string> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    // Reading a directory fails with an error of its own.
    if (!stats.isFile() && !stats.isDirectory()) {
      throw new Error(`${path} is not a regular file: replace or remove it`);
    }
    const bytes = await handle.readFile();
    // Windows' own tools may write UTF-16.
    return new TextDecoder(bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : 'utf-8').decode(bytes);
  } finally {
    await handle.close();
  }
}

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readRegular(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
  return parseDockerConfig(text, path);
}

/**
 * Parses a file of credentials.
 *
 * @throws Error without a cause: a JSON parser's message quotes the text, which is secret
 */
export function parseDockerConfig(text: string, source: string): DockerConfig {
  let parsed: unknown;
  try {
    // docker takes an empty file for one without entries; some editors begin a file with a byte order mark.
    const bare = text.replace(/^\ufeff/, '').trim();
    parsed = bare === '' ? {} : JSON.parse(bare);
  } catch {
    throw new Error(`${source} is not JSON: correct or remove it`);
  }
  const config = objectIn(parsed, source);
  const credsStore = config['credsStore'] ?? '';
  if (typeof credsStore !== 'string') throw new Error(`credsStore in ${source} is not a string`);
  const auths = Object.entries(objectIn(config['auths'] ?? {}, `auths in ${source}`));
  const helpers = Object.entries(objectIn(config['credHelpers'] ?? {}, `credHelpers in ${source}`));
  return {
    source,
    auths: Object.fromEntries(
      auths.map(([key, value]) => [key, () => authIn(value ?? {}, `the entry ${key} of ${source}`)]),
    ),
    credHelpers: Object.fromEntries(
      helpers.map(([key, value]) => [key, () => textIn(value ?? '', `credHelpers of ${key} in ${source}`)]),
    ),
    credsStore: credsStore === '' ? undefined : credsStore,
  };
}

const authFields = ['auth', 'username', 'password', 'identitytoken', 'registrytoken'] as const;

function authIn(value: unknown, where: string): DockerAuth {
  const object = objectIn(value, where);
  const fields = authFields.map((name) => [name, textIn(object[name] ?? '', `${name} in ${where}`)] as const);
  return Object.fromEntries(fields.filter(([, text]) => text !== ''));
}

function objectIn(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function textIn(value: unknown, what: string): string {
  if (typeof value !== 'string') throw new Error(`${what} is not a string`);
  return value;
}
