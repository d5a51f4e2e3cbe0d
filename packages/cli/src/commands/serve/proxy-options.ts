import { InvalidArgumentError, Option } from 'commander';

import { parseDuration } from '../../options/durations.ts';

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
