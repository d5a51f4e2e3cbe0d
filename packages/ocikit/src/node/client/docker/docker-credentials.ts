// Finds a registry's credentials in the configuration of docker and podman.
import type { Credential, Credentials } from '../../../http/client/index.ts';

import { askHelper } from './credential-helper.ts';
import type { HelperResult, HelperOptions } from './credential-helper.ts';
import { readDockerConfigs } from './docker-config.ts';
import type { DockerAuth, DockerConfig, Environment } from './docker-config.ts';

/** Options of {@link dockerCredentials}. */
export interface DockerCredentialsOptions {
  /** The environment in which files and helpers are searched, and in which helpers run. Default: `process.env`. */
  env?: Environment | undefined;
  /** Milliseconds that a credential helper may take. Default: 30,000. */
  helperTimeout?: number | undefined;
}

/** Docker Hub's host names. Docker stores its credentials under the URL. */
const hubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
const hubUrl = 'https://index.docker.io/v1/';

/** Milliseconds for which a helper's result is reused, as running a helper may take long. */
const resultLifetime = 30_000;

/**
 * Gives the credentials that `docker login` and `podman login` stored on this machine.
 *
 * Searches these places, and uses the first one that has credentials for the host: the variable `DOCKER_AUTH_CONFIG`,
 * `$DOCKER_CONFIG/config.json`, the file `REGISTRY_AUTH_FILE`, `~/.docker/config.json` (unless `DOCKER_CONFIG` is
 * set), and podman's `auth.json`. In each place, the helper of the host (`credHelpers`) comes first, then the helper
 * of all hosts (`credsStore`), then the entries of the file itself (`auths`), where the entry with the longest
 * matching path of the repository is used. Files are read for each call, so a later login is seen.
 *
 * The returned function rejects with an Error if a file is malformed, if a helper fails, or if two URLs of the host
 * have different credentials, and no later place has credentials for the host. A client then goes on anonymously, and
 * gives that Error as the cause if the registry wants credentials. Its messages contain no secrets.
 *
 * @example
 * const client = createClient({ host: 'ghcr.io', fetch: nodeFetch(), credentials: dockerCredentials() });
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): Credentials {
  const { env = process.env, helperTimeout: timeout = 30_000 } = options;
  const ask = cachingLookup({ env, timeout });
  return async (host, repository) => {
    const hosts = hostsFor(host);
    const failures: unknown[] = [];
    for (const read of await readDockerConfigs(env)) {
      try {
        const config = read();
        const found = config && ((await fromHelpers(config, hosts, ask)) ?? fromAuths(config, hosts, repository));
        if (found !== undefined) return found;
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
    return undefined;
  };
}

type HelperLookup = (helper: string, server: string) => Promise<HelperResult>;

/** Runs a helper once per server at a time, and reuses its result for {@link resultLifetime}. */
function cachingLookup(options: HelperOptions): HelperLookup {
  const results = new Map<string, { result: Promise<HelperResult>; until: number }>();
  return (helper, server) => {
    const now = Date.now();
    for (const [key, { until }] of results) if (until <= now) results.delete(key);
    const key = `${helper} ${server}`;
    const known = results.get(key);
    if (known !== undefined) return known.result;
    const result = askHelper(helper, server, options);
    results.set(key, { result, until: now + resultLifetime });
    // Do not reuse a failure: it may be temporary, such as a locked keychain.
    result.catch(() => results.delete(key));
    return result;
  };
}

/** The names under which credentials for a host may be stored, the host's own name first. */
function hostsFor(host: string): string[] {
  const asked = withoutDefaultPort(host.toLowerCase());
  return hubHosts.includes(asked) ? [asked, ...hubHosts.filter((name) => name !== asked)] : [asked];
}

async function fromHelpers(
  { source, auths, credHelpers, credsStore }: DockerConfig,
  hosts: readonly string[],
  ask: HelperLookup,
): Promise<Credential | undefined> {
  const servers = serversFor(hosts, auths);
  const helper = hosts.map((host) => valueFor(credHelpers, host)).find((name) => name !== undefined);
  const name = helper ?? credsStore;
  if (name === undefined || name === '') return undefined;
  for (const server of servers) {
    const result = await ask(name, server);
    if (result === 'no program') {
      if (helper === undefined) return undefined;
      throw new Error(`${source} names docker-credential-${name} for ${hosts[0]}, but this program is not installed`);
    }
    if (result !== 'unknown') return result.credential;
  }
  return undefined;
}

/** The names to ask a helper for: Docker Hub's URL, the host's names, and the URLs of the host in `auths`. */
function serversFor(hosts: readonly string[], auths: DockerConfig['auths']): Set<string> {
  const [host = ''] = hosts;
  const spelled = Object.keys(auths).filter((key) => isUrl(key) && hosts.includes(hostOf(key)));
  return new Set([...(hubHosts.includes(host) ? [hubUrl] : []), ...hosts, ...spelled]);
}

function valueFor(helpers: DockerConfig['credHelpers'], host: string): string | undefined {
  const keys = Object.keys(helpers);
  const key = keys.find((one) => one === host) ?? keys.find((one) => hostOf(one) === host && pathOf(one) === '');
  return key === undefined ? undefined : helpers[key]?.();
}

function fromAuths(
  { source, auths }: DockerConfig,
  hosts: readonly string[],
  repository: string | undefined,
): Credential | undefined {
  for (const host of hosts) {
    for (const part of partsOf(repository)) {
      const keys = Object.keys(auths).filter((key) => hostOf(key) === host && pathOf(key) === part);
      const plain = keys.filter((key) => !isUrl(key));
      const found = (plain.length > 0 ? plain : keys)
        .map((key) => ({ key, credential: credentialOf(auths[key]?.() ?? {}, `${key} in ${source}`) }))
        .filter(({ credential }) => credential !== undefined);
      const different = new Set(found.map(({ credential }) => JSON.stringify(credential)));
      if (different.size > 1) {
        const names = found.map(({ key }) => key).toSorted((a, b) => (a < b ? -1 : 1));
        throw new Error(
          `${source} has different credentials for ${host}, under ${names.join(', ')}: remove all but one`,
        );
      }
      const [first] = found;
      if (first !== undefined) return first.credential;
    }
  }
  return undefined;
}

/** A repository's path, each path above it, and the empty path of the whole registry. */
function partsOf(repository: string | undefined): string[] {
  const parts: string[] = [];
  for (let part = repository ?? ''; part !== ''; part = part.slice(0, Math.max(0, part.lastIndexOf('/'))))
    parts.push(part);
  return [...parts, ''];
}

function isUrl(key: string): boolean {
  return key.includes('//');
}

/** The host of a key, which may be a URL, a host with a path, or a host alone. */
function hostOf(key: string): string {
  const [host = ''] = key.replace(/^[^/]*\/\//, '').split('/');
  return withoutDefaultPort(host.toLowerCase());
}

/** The path of the repositories that a key covers. A URL or an API path covers the whole registry, as in docker. */
function pathOf(key: string): string {
  if (isUrl(key)) return '';
  const path = key.replace(/^[^/]*/, '').replaceAll(/^\/|\/$/g, '');
  return path === 'v1' || path === 'v2' ? '' : path;
}

function withoutDefaultPort(host: string): string {
  return host.replace(/:443$/, '');
}

/** @throws Error if the entry is malformed. The message does not show it */
function credentialOf(entry: DockerAuth, where: string): Credential | undefined {
  const { auth, registrytoken, identitytoken } = entry;
  const { username, password = '' } = auth === undefined ? entry : (decodeAuth(auth, where) ?? {});
  if (registrytoken !== undefined) return { accessToken: registrytoken };
  // Azure stores a user name with the token; it only marks the entry as a token.
  if (identitytoken !== undefined) return { refreshToken: identitytoken, username };
  return username === undefined ? undefined : { username, password };
}

/** @returns undefined for the base64 of `:`, which stands for no account */
function decodeAuth(auth: string, where: string): { username: string; password: string } | undefined {
  // Some programs wrap base64 at 76 columns.
  const bare = auth.replaceAll(/\s+/g, '');
  const decoded = /^[A-Za-z0-9+/]*={0,2}$/.test(bare) ? Buffer.from(bare, 'base64').toString() : '';
  if (/^:\0*$/.test(decoded)) return undefined;
  const colon = decoded.indexOf(':');
  if (colon < 1) throw new Error(`auth of ${where} is not the base64 of USER:PASSWORD: correct it, or log in again`);
  // Some tools pad the password with zero bytes.
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
}
