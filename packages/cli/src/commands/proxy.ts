import { InvalidArgumentError, Option } from 'commander';
import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { dockerCredentials, nodeFetch } from 'ocikit/node';
import type { Logger } from 'ocikit/server';
import { cache, upstreams } from 'ocikit/views';
import type { CacheEvent, CacheRegistry } from 'ocikit/views';

import { parseDuration } from '../durations.ts';

/** A registry behind the cache: `HOST[:PORT]`, and how it is spoken to if that was said. */
export interface ProxiedHost {
  /** The host that clients mean by it. */
  name: string;
  host: string;
  scheme: 'http' | 'https' | undefined;
}

export interface ProxyFlags {
  proxy?: ProxiedHost[];
  local?: string;
  /** Bytes. */
  cacheSize?: number;
  /** Milliseconds. */
  tagAge?: number;
}

export function proxyOptions(): Option[] {
  return [
    new Option(
      '--proxy <registry>',
      'be a cache of this registry: docker.io, https://HOST, http://HOST, or NAME=URL for what clients call NAME; may be given several times',
    ).argParser((text: string, before: ProxiedHost[] | undefined) => [...(before ?? []), parseHost(text)]),
    new Option('--local <dir>', 'with --proxy: take pushes, too, and keep them in this directory'),
    new Option(
      '--cache-size <size>',
      'with --proxy: keep no more than this (10GB, 500MB); what was used longest ago goes first',
    ).argParser(parseSize),
    new Option(
      '--tag-age <duration>',
      'with --proxy: ask where a tag is after this time (30s, 5m, 1h; default: 1m)',
    ).argParser(parseDuration),
  ];
}

/** A flag that means nothing without `--proxy`; undefined if there is none. */
export function strayFlag({ proxy, local, cacheSize, tagAge }: ProxyFlags): string | undefined {
  if (proxy !== undefined) return undefined;
  const given = { '--local': local, '--cache-size': cacheSize, '--tag-age': tagAge };
  return Object.entries(given).find(([, value]) => value !== undefined)?.[0];
}

/** A cache that is going to be served, until it is closed. */
export interface Proxy {
  registry: Registry;
  close(): Promise<void>;
}

/** @param store where it keeps what it has fetched */
export function openProxy(
  hosts: readonly ProxiedHost[],
  flags: ProxyFlags,
  parts: { store: Registry; local: Registry | undefined; logger: Logger },
): Proxy {
  const { store, local, logger } = parts;
  const fetch = nodeFetch();
  const credentials = dockerCredentials();
  const clientOf = ({ host, scheme }: ProxiedHost): Registry =>
    createClient({
      host,
      scheme,
      fetch,
      credentials,
      // One download is one request there, and a limit concerns everybody who asks the cache: it is the cache that waits.
      parallel: false,
      backOff: { attempts: 3, longestRetryAfter: 0 },
      onWarning: (text) => logger.warn('the upstream warns', { host, text }),
    });
  const registry: CacheRegistry = cache(
    upstreams(Object.fromEntries(hosts.map((each) => [each.name, clientOf(each)]))),
    store,
    { local, maxSize: flags.cacheSize, maxAge: flags.tagAge, onEvent: (event) => log(event, logger) },
  );
  return {
    registry,
    async close() {
      await registry.close();
      fetch.close();
    },
  };
}

const troubles: ReadonlySet<CacheEvent['type']> = new Set(['stale', 'failed', 'unkept', 'corrupt']);

function log({ type, kind, repository, reference, size, error }: CacheEvent, logger: Logger): void {
  const fields = {
    [kind]: `${repository}${kind === 'tag' ? ':' : '@'}${reference}`,
    ...(size === undefined ? {} : { size }),
    // Where it went wrong in this program is of no use to whoever reads this.
    ...(error === undefined ? {} : { because: error instanceof Error ? error.message : error }),
  };
  if (troubles.has(type)) logger.warn(`cache ${type}`, fields);
  else logger.info?.(`cache ${type}`, fields);
}

function parseHost(text: string): ProxiedHost {
  const [, given, scheme, host] = /^(?:([^/?#@\s=]+)=)?(?:(https?):\/\/)?([^/?#@\s=]+)\/?$/.exec(text) ?? [];
  if (host === undefined) {
    throw new InvalidArgumentError('It is HOST, https://HOST, http://HOST or NAME=URL, perhaps with :PORT.');
  }
  return { name: given ?? host, host, scheme: scheme === 'http' || scheme === 'https' ? scheme : undefined };
}

const bytesOf: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9, T: 1e12 };
const binaryBytesOf: Readonly<Record<string, number>> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

function parseSize(text: string): number {
  const [, number, unit = '', binary] = /^(\d+(?:\.\d+)?)([KMGT]?)(i?)B?$/i.exec(text) ?? [];
  const factor = (binary === 'i' || binary === 'I' ? binaryBytesOf : bytesOf)[unit.toUpperCase()];
  if (number === undefined || factor === undefined) {
    throw new InvalidArgumentError('A size is a number and a unit: 500MB, 10GB, 4GiB.');
  }
  return Math.floor(Number(number) * factor);
}
