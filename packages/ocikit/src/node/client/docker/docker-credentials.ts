import type { Credential, Credentials } from '../../../http/client/index.ts';

import { askHelper } from './credential-helper.ts';
import type { HelperResult, HelperOptions } from './credential-helper.ts';
import { readDockerConfigs } from './docker-config.ts';
import type { DockerAuth, DockerConfig, Environment } from './docker-config.ts';

export interface DockerCredentialsOptions {
  /** Where files and helpers are looked for, and what helpers run with. Default: this process's. */
  env?: Environment | undefined;
  /** Milliseconds that a credential helper may take. Default: 30,000. */
  helperTimeout?: number | undefined;
}

/** Docker Hub's names; docker keeps its credentials by the URL. */
const hubHosts = ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'];
const hubUrl = 'https://index.docker.io/v1/';

/** Milliseconds for which what a helper said is taken to be true, as one may take a while. */
const resultLifetime = 30_000;

/**
 * The credentials that `docker login` and `podman login` left on this machine.
 *
 * They are looked for in `DOCKER_AUTH_CONFIG`, `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, `REGISTRY_AUTH_FILE`
 * and podman's `auth.json`; the first of these that has some for the host counts. In each of them the helper of the host
 * (`credHelpers`) comes first, then that of all hosts (`credsStore`), then what is in the file (`auths`), where the entry
 * of the smallest part of the registry that the repository is in counts. The files are read anew each time.
 *
 * What it returns rejects with an Error if a file is malformed, a helper fails, or two URLs give different credentials for the
 * host. There are no secrets in these errors.
 *
 * @example
 * const client = createClient({ host: 'ghcr.io', fetch: nodeFetch(), credentials: dockerCredentials() });
 */
export function dockerCredentials(options: DockerCredentialsOptions = {}): Credentials {
  const { env = process.env, helperTimeout: timeout = 30_000 } = options;
  const ask = cachingLookup({ env, timeout });
  return async (host, repository) => {
    const hosts = hostsFor(host);
    for (const config of await readDockerConfigs(env)) {
      const found = (await fromHelpers(config, hosts, ask)) ?? fromAuths(config, hosts, repository);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

type HelperLookup = (helper: string, server: string) => Promise<HelperResult>;

/** Asks a helper about a server once, however many want to know, and not again for a while. */
function cachingLookup(options: HelperOptions): HelperLookup {
  const answers = new Map<string, { answer: Promise<HelperResult>; until: number }>();
  return (helper, server) => {
    const now = Date.now();
    for (const [key, { until }] of answers) if (until <= now) answers.delete(key);
    const key = `${helper} ${server}`;
    const known = answers.get(key);
    if (known !== undefined) return known.answer;
    const answer = askHelper(helper, server, options);
    answers.set(key, { answer, until: now + resultLifetime });
    // A failure may pass, as when a keychain is unlocked.
    answer.catch(() => answers.delete(key));
    return answer;
  };
}

/** The names under which there may be credentials for a host: the one asked for first. */
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
    const answer = await ask(name, server);
    if (answer === 'no program') {
      if (helper === undefined) return undefined;
      throw new Error(`docker-credential-${name}, which ${source} names for ${hosts[0]}, is not installed`);
    }
    if (answer !== 'unknown') return answer.credential;
  }
  return undefined;
}

/** What a helper may know a registry by: for Docker Hub first its URL, for others the host; and how `auths` spells it. */
function serversFor(hosts: readonly string[], auths: DockerConfig['auths']): Set<string> {
  const [host = ''] = hosts;
  const spelled = Object.keys(auths).filter((key) => isUrl(key) && hosts.includes(hostOf(key)));
  return new Set([...(hubHosts.includes(host) ? [hubUrl] : []), ...hosts, ...spelled]);
}

function valueFor(helpers: DockerConfig['credHelpers'], host: string): string | undefined {
  const keys = Object.keys(helpers);
  const key = keys.find((one) => one === host) ?? keys.find((one) => hostOf(one) === host && pathOf(one) === '');
  return key === undefined ? undefined : helpers[key];
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
        .map((key) => ({ key, credential: credentialOf(auths[key] ?? {}, `${key} in ${source}`) }))
        .filter(({ credential }) => credential !== undefined);
      const different = new Set(found.map(({ credential }) => JSON.stringify(credential)));
      if (different.size > 1) {
        const names = found.map(({ key }) => key).toSorted((a, b) => (a < b ? -1 : 1));
        throw new Error(`${source} has different credentials for ${host}: ${names.join(', ')}`);
      }
      const [first] = found;
      if (first !== undefined) return first.credential;
    }
  }
  return undefined;
}

/** A repository, what it is in, what that is in, and the whole registry. */
function partsOf(repository: string | undefined): string[] {
  const parts: string[] = [];
  for (let part = repository ?? ''; part !== ''; part = part.slice(0, Math.max(0, part.lastIndexOf('/'))))
    parts.push(part);
  return [...parts, ''];
}

function isUrl(key: string): boolean {
  return key.includes('//');
}

/** The host of a key, whether it is a URL, has a path or is only that. */
function hostOf(key: string): string {
  const [host = ''] = key.replace(/^[^/]*\/\//, '').split('/');
  return withoutDefaultPort(host.toLowerCase());
}

/** The part of a registry that a key is about. A URL is about all of it, as docker has it, and so is one of an API. */
function pathOf(key: string): string {
  if (isUrl(key)) return '';
  const path = key.replace(/^[^/]*/, '').replaceAll(/^\/|\/$/g, '');
  return path === 'v1' || path === 'v2' ? '' : path;
}

function withoutDefaultPort(host: string): string {
  return host.replace(/:443$/, '');
}

/** @throws Error if what is there cannot be read, without showing it */
function credentialOf(entry: DockerAuth, where: string): Credential | undefined {
  const { auth, registrytoken, identitytoken } = entry;
  const { username, password = '' } = auth === undefined ? entry : decodeAuth(auth, where);
  if (registrytoken !== undefined) return { accessToken: registrytoken };
  // Azure gives a user name beside it, which says only that there is a token.
  if (identitytoken !== undefined) return { refreshToken: identitytoken, username };
  return username === undefined ? undefined : { username, password };
}

function decodeAuth(auth: string, where: string): { username: string; password: string } {
  const bare = auth.trim();
  const decoded = /^[A-Za-z0-9+/]*={0,2}$/.test(bare) ? Buffer.from(bare, 'base64').toString() : '';
  const colon = decoded.indexOf(':');
  if (colon < 1) throw new Error(`auth of ${where} is not the base64 of USER:PASSWORD`);
  // Some pad it.
  return { username: decoded.slice(0, colon), password: decoded.slice(colon + 1).replace(/\0+$/, '') };
}
