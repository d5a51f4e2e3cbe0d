// The URL under which clients reach the server: that of its token endpoint stands in every challenge.
import type { Exchange } from '../shared/index.ts';

/** Finds the URL under which a client reaches the server. */
export class PublicUrl {
  readonly #known: ReadonlyMap<string, string>;
  readonly #first: string | undefined;
  readonly #trusts: (address: string) => boolean;

  /**
   * @param given the server's URLs, without a path. The one with the request's host is used, else the first
   * @param trusts true for the address of a proxy whose `X-Forwarded-Host` counts
   * @throws TypeError if one is no http URL
   */
  constructor(given: readonly string[], trusts: (address: string) => boolean) {
    const origins = given.map(originOf);
    this.#known = new Map(origins.map((origin) => [new URL(origin).host, origin]));
    this.#first = origins[0];
    this.#trusts = trusts;
  }

  /**
   * Such as `https://registry.example:5000`, without a slash at its end; undefined: the request names no host. The
   * answer to a request with TLS never names an http URL.
   */
  of(exchange: Exchange): string | undefined {
    const host = this.#hostOf(exchange);
    // A client that lies about TLS gets a challenge that only itself cannot use. Without TLS, a password that is sent
    // to an http realm could be read, so the header counts from every proxy.
    const isSecure = exchange.tls !== undefined || forwardedProto(exchange) === 'https';
    const given = (host === undefined ? undefined : this.#known.get(host)) ?? this.#first;
    if (given !== undefined) return isSecure ? given.replace(/^http:/, 'https:') : given;
    if (host === undefined) return undefined;
    return `${isSecure ? 'https' : 'http'}://${host}`;
  }

  #hostOf(exchange: Exchange): string | undefined {
    const forwarded = exchange.header('x-forwarded-host')?.split(',')[0]?.trim();
    const { remoteAddress } = exchange;
    const isTrusted = remoteAddress !== undefined && this.#trusts(remoteAddress);
    const host = isTrusted && forwarded !== undefined ? forwarded : (exchange.authority ?? exchange.header('host'));
    return host !== undefined && /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i.test(host)
      ? host.toLowerCase()
      : undefined;
  }
}

function forwardedProto(exchange: Exchange): string | undefined {
  const plain = exchange.header('x-forwarded-proto')?.split(',')[0]?.trim().toLowerCase();
  if (plain !== undefined) return plain;
  // RFC 7239, section 5.4
  return /(?:^|[;,\s])proto="?(https?)"?/i.exec(exchange.header('forwarded') ?? '')?.[1]?.toLowerCase();
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname !== '/' || url.search + url.hash !== '') {
    throw new TypeError(`the public URL ${JSON.stringify(text)} has to be like https://registry.example`);
  }
  return url.origin;
}
