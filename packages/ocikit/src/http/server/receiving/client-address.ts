// The address of a client, where it is known.
import type { Exchange } from '../shared/index.ts';

/** Headers of requests that a proxy passes on. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;
/** Addresses of the same machine: a proxy on it connects from there. */
const loopback = /^(?:127\.|::1$)/;

/**
 * Returns the address of a request's client; undefined if it may be the address of a proxy. In IPv6 it is the network
 * of 64 bits: a client can have all of its addresses.
 */
export function clientAddressOf(exchange: Exchange): string | undefined {
  const address = exchange.remoteAddress;
  if (address === undefined || loopback.test(address)) return undefined;
  if (proxyHeaders.some((name) => exchange.header(name) !== undefined)) return undefined;
  return address.includes(':') ? networkOf(address) : address;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  if (tail !== undefined)
    groups.push(...Array<string>(Math.max(8 - groups.length - last.length, 0)).fill('0'), ...last);
  return groups.slice(0, 4).join(':');
}
