// The options of `ocikit serve` that make it a pull-through cache.
import { InvalidArgumentError, Option } from 'commander';

import { parseDuration } from '../../options/durations.ts';

/** A registry behind the cache. */
export interface ProxiedHost {
  /** The host name that clients use for it. */
  name: string;
  /** Its address, `HOST[:PORT]`. */
  host: string;
  /** Undefined if it was not given. */
  scheme: 'http' | 'https' | undefined;
}

/** The options that need `--proxy`, and it. */
export interface ProxyFlags {
  /** The registries behind the cache. */
  proxy?: ProxiedHost[];
  /** The directory for pushed content. */
  local?: string;
  /** The most content that is kept, in bytes. */
  cacheSize?: number;
  /** Milliseconds after which a tag is looked up again. */
  tagAge?: number;
}

/** The options for commander. */
export function proxyOptions(): Option[] {
  return [
    new Option(
      '--proxy <registry>',
      'be a cache of this registry: docker.io, https://HOST, http://HOST, or NAME=URL if clients call it NAME; can be repeated',
    ).argParser((text: string, before: ProxiedHost[] | undefined) => [...(before ?? []), parseHost(text)]),
    new Option('--local <dir>', 'with --proxy: accept pushes and store them in this directory'),
    new Option(
      '--cache-size <size>',
      'with --proxy: keep at most this much (10GB, 500MB); the least recently used content is evicted first',
    ).argParser(parseSize),
    new Option(
      '--tag-age <duration>',
      'with --proxy: look a tag up again after this time (30s, 5m, 1h; default: 1m)',
    ).argParser(parseDuration),
  ];
}

/** An option given without the `--proxy` that it needs; undefined if there is none. */
export function strayFlag({ proxy, local, cacheSize, tagAge }: ProxyFlags): string | undefined {
  if (proxy !== undefined) return undefined;
  const given = { '--local': local, '--cache-size': cacheSize, '--tag-age': tagAge };
  return Object.entries(given).find(([, value]) => value !== undefined)?.[0];
}

function parseHost(text: string): ProxiedHost {
  const [, given, scheme, host] = /^(?:([^/?#@\s=]+)=)?(?:(https?):\/\/)?([^/?#@\s=]+)\/?$/.exec(text) ?? [];
  if (host === undefined) {
    throw new InvalidArgumentError(
      'A registry is HOST, https://HOST, http://HOST or NAME=URL, each with an optional :PORT.',
    );
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
