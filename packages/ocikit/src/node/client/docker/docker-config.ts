import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** One file of credentials, as docker and podman write it. */
export interface DockerConfig {
  /** Where it was read: a path, or the name of a variable. */
  source: string;
  /** By host, by host and a part of its repositories, or by a URL. */
  auths: Readonly<Record<string, DockerAuth>>;
  /** The program that knows the credentials of a host, by host. */
  credHelpers: Readonly<Record<string, string>>;
  /** The program that knows those of all other hosts. */
  credsStore: string | undefined;
}

/** An entry of `auths`. What is there is a text, but may be empty. */
export type DockerAuth = Readonly<
  Partial<Record<'auth' | 'username' | 'password' | 'identitytoken' | 'registrytoken', string>>
>;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads all files of credentials that there are, those that count most first: `DOCKER_AUTH_CONFIG`, which is one itself;
 * `config.json` in `DOCKER_CONFIG`, or else, after podman's own variable, in `.docker` at home; podman's `auth.json`.
 *
 * @throws Error if one cannot be read or is malformed; the error has nothing of what is in it
 */
export async function readDockerConfigs(env: Environment): Promise<DockerConfig[]> {
  const inline = env['DOCKER_AUTH_CONFIG'];
  const configs = inline === undefined || inline === '' ? [] : [parseDockerConfig(inline, 'DOCKER_AUTH_CONFIG')];
  const files = await Promise.all(placesOf(env).map((path) => readConfig(path)));
  return [...configs, ...files.filter((config) => config !== undefined)];
}

function placesOf(env: Environment): string[] {
  // Whoever gives another environment means another home as well.
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

async function readConfig(path: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
  return parseDockerConfig(text, path);
}

/** @throws Error without a cause: what a JSON parser says quotes the text, and that is secret */
export function parseDockerConfig(text: string, source: string): DockerConfig {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new Error(`${source} is not JSON`);
  }
  const config = objectIn(parsed, source);
  const credsStore = config['credsStore'] ?? '';
  if (typeof credsStore !== 'string') throw new Error(`credsStore in ${source} is not a text`);
  const auths = Object.entries(objectIn(config['auths'] ?? {}, `auths in ${source}`));
  const helpers = Object.entries(objectIn(config['credHelpers'] ?? {}, `credHelpers in ${source}`));
  return {
    source,
    auths: Object.fromEntries(auths.map(([key, value]) => [key, authIn(value ?? {}, `the entry ${key} of ${source}`)])),
    credHelpers: Object.fromEntries(
      helpers.map(([key, value]) => [key, textIn(value, `credHelpers of ${key} in ${source}`)]),
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
  if (typeof value !== 'string') throw new Error(`${what} is not a text`);
  return value;
}
