// Opens TCP, TLS and proxy connections, and keeps them for further requests.
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { AgentOptions, ClientRequest, ClientRequestArgs, RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import type { Duplex } from 'node:stream';

import type { ConnectionOptions } from './connection-options.ts';
import { connectForDirectReads, connectSecurelyForDirectReads } from './direct-read-socket.ts';
import { hostForLookup, proxyChoice } from './proxies.ts';

type ConnectCallback = (error: Error | null, socket?: Duplex) => void;

/** Opens connections, directly or through a proxy, and keeps them for further requests. */
export class Connections {
  readonly #options: ConnectionOptions;
  readonly #proxyOf: (url: URL) => URL | undefined;
  readonly #connectTimeout: number;
  readonly #agents = new Map<string, HttpAgent>();
  #secureContext: tls.SecureContext | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#proxyOf = proxyChoice(options);
    this.#connectTimeout = options.connectTimeout ?? 15_000;
  }

  /** Creates a request, which is not sent yet. */
  request(url: URL, method: string, headers: Record<string, string>): ClientRequest {
    const proxy = this.#proxyOf(url);
    const options: RequestOptions = {
      method,
      headers,
      hostname: hostForLookup(url.hostname),
      port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : url.port,
      path: url.pathname + url.search,
      agent: this.#agentFor(url, proxy),
    };
    if (url.protocol === 'https:') return httpsRequest(options);
    if (proxy !== undefined) {
      // An unencrypted request needs no tunnel, and many proxies refuse tunnels to port 80.
      options.path = `${url.origin}${url.pathname}${url.search}`;
      options.headers = { host: url.host, ...headers, ...authorizationOf(proxy) };
    }
    return httpRequest(options);
  }

  /** Closes all connections. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  #agentFor(url: URL, proxy: URL | undefined): HttpAgent {
    const key = `${url.protocol} ${proxy?.href ?? ''}`;
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const options: AgentOptions = {
        keepAlive: true,
        timeout: this.#options.keepAlive ?? 30_000,
        maxFreeSockets: 64,
      };
      agent = url.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
      agent.createConnection = (to: ClientRequestArgs, created?: (error: Error | null, socket: Duplex) => void) => {
        void this.#connect(url.protocol === 'https:', to, proxy, (created ?? (() => undefined)) as ConnectCallback);
        return undefined;
      };
      this.#agents.set(key, agent);
    }
    return agent;
  }

  async #connect(
    secure: boolean,
    to: ClientRequestArgs,
    proxy: URL | undefined,
    created: ConnectCallback,
  ): Promise<void> {
    let socket: Socket;
    try {
      socket = await this.#open(secure, to, proxy);
    } catch (error) {
      created(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    created(null, socket);
  }

  async #open(secure: boolean, to: ClientRequestArgs, proxy: URL | undefined): Promise<Socket> {
    const host = to.host ?? to.hostname ?? 'localhost';
    const port = Number(to.port);
    const limit = AbortSignal.timeout(this.#connectTimeout);
    if (proxy === undefined) {
      const address = (await this.#options.resolve?.(host, port)) ?? { host, port };
      if (!secure) return established(connectForDirectReads(address), 'connect', limit);
      const options = {
        ...this.#tlsOptions(host),
        ...address,
        // `resolve` may have given another address. The certificate is that of the URL's host.
        checkServerIdentity: (_name: string, certificate: tls.PeerCertificate) =>
          tls.checkServerIdentity(host, certificate),
      };
      return established(connectSecurelyForDirectReads(options), 'secureConnect', limit);
    }
    const socket = await this.#toProxy(proxy, limit);
    if (!secure) return socket;
    await tunnel(socket, proxy, host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`, limit);
    return this.#secure(socket, host, limit);
  }

  async #toProxy(proxy: URL, limit: AbortSignal): Promise<Socket> {
    const host = hostForLookup(proxy.hostname);
    const port = proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : Number(proxy.port);
    const socket = await established(connectTcp({ host, port, noDelay: true }), 'connect', limit);
    return proxy.protocol === 'https:' ? this.#secure(socket, host, limit) : socket;
  }

  #secure(socket: Socket, host: string, limit: AbortSignal): Promise<Socket> {
    const name = isAddress(host) ? { host } : {};
    return established(tls.connect({ socket, ...this.#tlsOptions(host), ...name }), 'secureConnect', limit);
  }

  #tlsOptions(host: string): tls.ConnectionOptions {
    const { cert, key } = this.#options;
    // Create the context once: parsing all authorities' certificates takes longer than a handshake.
    this.#secureContext ??= tls.createSecureContext({
      ...(this.#options.ca === undefined ? {} : { ca: [...defaultAuthorities(), ...listOf(this.#options.ca)] }),
      ...(cert === undefined ? {} : { cert: Buffer.from(cert) }),
      ...(key === undefined ? {} : { key: Buffer.from(key) }),
    });
    return {
      secureContext: this.#secureContext,
      // An IP address is not a server name. RFC 6066, section 3.
      ...(isAddress(host) ? {} : { servername: host }),
      ALPNProtocols: ['http/1.1'],
    };
  }
}

function isAddress(host: string): boolean {
  return /^[\d.]+$|:/.test(host);
}

function listOf(ca: NonNullable<ConnectionOptions['ca']>): (string | Buffer)[] {
  const all = typeof ca === 'string' || ca instanceof Uint8Array ? [ca] : ca;
  return all.map((one) => (typeof one === 'string' ? one : Buffer.from(one)));
}

/** The authorities that Node trusts by default. Giving `ca` replaces them, so they have to be added to it. */
function defaultAuthorities(): string[] {
  const { getCACertificates } = tls as { getCACertificates?: (type: 'default') => string[] };
  if (getCACertificates !== undefined) return getCACertificates('default');
  // Node 20 cannot list the certificates of NODE_EXTRA_CA_CERTS.
  const file = process.env['NODE_EXTRA_CA_CERTS'];
  return file === undefined || file === '' ? [...tls.rootCertificates] : [...tls.rootCertificates, read(file)];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // Node itself only warns about a missing file.
    return '';
  }
}

function established<T extends Socket>(socket: T, event: 'connect' | 'secureConnect', limit: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.removeListener(event, onReady);
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      limit.removeEventListener('abort', onLimit);
    };
    const onReady = (): void => {
      settle();
      resolve(socket);
    };
    const onError = (error: Error): void => {
      settle();
      // Ignore later errors of this socket.
      socket.on('error', () => undefined);
      socket.destroy();
      reject(error);
    };
    const onClose = (): void => onError(new Error('the server closed the connection before it was established'));
    const onLimit = (): void => onError(tooSlow());
    socket.on(event, onReady);
    socket.on('error', onError);
    socket.on('close', onClose);
    if (limit.aborted) onLimit();
    else limit.addEventListener('abort', onLimit);
  });
}

function tooSlow(): Error {
  return new Error('the connection was not established in time (connectTimeout)');
}

/** Asks a proxy for a tunnel to a host. RFC 9110, section 9.3.6. */
function tunnel(socket: Socket, proxy: URL, authority: string, limit: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorizationOf(proxy) },
      createConnection: () => socket,
      signal: limit,
    });
    request.on('connect', (response, _socket, head) => {
      if (response.statusCode === 200 && head.length === 0) {
        resolve();
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy answered ${response.statusCode} to CONNECT ${authority}`));
    });
    request.on('error', (error) => reject(limit.aborted ? tooSlow() : error));
    request.end();
  });
}

function authorizationOf({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}
