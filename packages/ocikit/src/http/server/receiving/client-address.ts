// The address of a client, where it is known.
import type { Exchange } from '../shared/index.ts';

/** Headers of requests that a proxy passes on. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'] as const;
/** Addresses of the same machine: a proxy on it connects from there. */
const loopback = /^(?:127\.|::1$)/;
const version4InVersion6 = /^::ffff:(?=[0-9.]+$)/i;

/**
 * Returns the address of a request's client; undefined if it may be the address of a proxy. Of IPv6 it is the network
 * of 64 bits: a client can have all addresses of it.
 */
export function clientAddressOf(exchange: Exchange): string | undefined {
  const address = exchange.address?.()?.replace(version4InVersion6, '');
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
