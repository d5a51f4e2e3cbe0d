// The options of connections, in a file without Node's types.
import type { ProxyOptions } from './proxies.ts';

/** The address of a server. */
export interface Address {
  /** A host name or an IP address. */
  host: string;
  /** The TCP port. */
  port: number;
}

/** The connection options of {@link nodeFetch}. */
export interface ConnectionOptions extends ProxyOptions {
  /** Certificates (PEM) of authorities to trust, in addition to those that Node trusts. */
  ca?: string | Uint8Array | readonly (string | Uint8Array)[] | undefined;
  /** The client's certificate (PEM). */
  cert?: string | Uint8Array | undefined;
  /** The private key (PEM) of the client's certificate. */
  key?: string | Uint8Array | undefined;
  /**
   * Gives another address to connect to; undefined: the address in the URL. The name in certificates and in `Host` is
   * still the URL's. Called for each new connection without a proxy.
   */
  resolve?: ((host: string, port: number) => Address | undefined | Promise<Address | undefined>) | undefined;
  /** Milliseconds that opening a connection may take, including TLS. Default: 15,000. */
  connectTimeout?: number | undefined;
  /** Milliseconds that an unused connection stays open for the next request. Default: 30,000. */
  keepAlive?: number | undefined;
}
