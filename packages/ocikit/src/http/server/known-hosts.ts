// The host names that a server answers to, so that a page of another name that resolves to it gets nothing.
import { RegistryError } from '../../model/index.ts';

import type { Exchange } from './shared/index.ts';

/** The names of this machine, for its own programs and for containers on it (Docker, Podman). */
const ownNames: ReadonlySet<string> = new Set(['localhost', 'host.docker.internal', 'host.containers.internal']);

/** Octets of an IPv4 address after the first one. */
const threeOctets = String.raw`(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}`;
const loopbackAddress = new RegExp(String.raw`^(?:127${threeOctets}|\[::1\]|\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\])$`);

/** Characters of a `Host` that may be one: 253 of a name, and a port. RFC 1035, section 2.3.4. */
const longestHost = 260;

/** A host of a name or an IPv4 address, or an IPv6 address in brackets, and perhaps a port. RFC 9110, section 7.2. */
const hostAndPort = /^([a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?|\[[0-9a-f:.]+(?:%[^\]\s]*)?\])(?::[0-9]*)?$/i;

/**
 * Refuses requests whose `Host` is not a name of this server.
 *
 * A web page can let its own name resolve to 127.0.0.1 after it was loaded (DNS rebinding). Then the browser takes a
 * server on the user's machine for the page's own site, and lets the page read and write there. The name in `Host` is
 * still that of the page.
 */
export class KnownHosts {
  readonly #names = new Set<string>();
  /** Ends of names, each with a dot at its beginning. */
  readonly #ends: string[] = [];
  readonly #takesAll: boolean;
  /** The value that passed last: most clients send the same one with each request. */
  #lastKnown: string | undefined;

  /**
   * @param allowed names besides those of this machine; see `ServerOptions.allowedHosts`
   * @throws TypeError if an entry is not a host
   */
  constructor(allowed: readonly string[]) {
    this.#takesAll = allowed.includes('*');
    for (const entry of allowed) {
      if (entry === '*') continue;
      if (entry.startsWith('*.')) this.#ends.push(`.${allowedName(entry.slice(2), entry)}`);
      else this.#names.add(allowedName(entry, entry));
    }
  }

  /**
   * Checks the host that a request asks for. A request without any passes: every browser sends `Host`.
   *
   * @throws RegistryError BAD_REQUEST, MISDIRECTED_REQUEST
   */
  assertKnown(exchange: Pick<Exchange, 'header' | 'authority'>): void {
    const host = exchange.header('host');
    if (host !== this.#lastKnown) {
      this.#assertName(host);
      this.#lastKnown = host;
    }
    const { authority } = exchange;
    if (authority !== undefined && authority !== host) this.#assertName(authority);
  }

  #assertName(host: string | undefined): void {
    if (host === undefined || this.#takesAll) return;
    const name = nameOf(host);
    if (name !== undefined && this.#knows(name)) return;
    const asked = JSON.stringify(host.slice(0, longestHost));
    const shown = name ?? 'NAME';
    throw new RegistryError(
      'MISDIRECTED_REQUEST',
      `this server does not answer to the host ${asked}. If clients use this name, for example through a proxy, ` +
        `start the server with --allow-host ${shown} (in code: allowedHosts: ['${shown}'])`,
      { detail: { host: host.slice(0, longestHost) } },
    );
  }

  #knows(name: string): boolean {
    return (
      ownNames.has(name) ||
      name.endsWith('.localhost') ||
      loopbackAddress.test(name) ||
      this.#names.has(name) ||
      this.#ends.some((end) => name.endsWith(end))
    );
  }
}

/** @throws TypeError if the text is not a host without a port */
function allowedName(text: string, entry: string): string {
  const host = text.split(':').length > 2 && !text.startsWith('[') ? `[${text}]` : text;
  const hasPort = host.includes(':') && !host.endsWith(']');
  const name = hasPort ? undefined : nameOf(host);
  if (name !== undefined) return name;
  throw new TypeError(`${JSON.stringify(entry)} is not a host: use a name or an address without a port, *.NAME, or *`);
}

/**
 * Returns the host without its port in the one form in which hosts are compared: in lower case, without the dot of a
 * complete name, an IPv6 address in its short form without a zone. Undefined if the text is not a host.
 */
function nameOf(host: string): string | undefined {
  const [, name] = host.length > longestHost ? [] : (hostAndPort.exec(host) ?? []);
  if (name === undefined) return undefined;
  if (!name.startsWith('[')) return name.toLowerCase().replace(/\.$/, '');
  const address = `http://${name.replace(/%[^\]]*/, '')}`;
  return URL.canParse(address) ? new URL(address).hostname : undefined;
}
