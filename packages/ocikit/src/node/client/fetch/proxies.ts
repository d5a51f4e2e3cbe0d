// Chooses the proxy for a URL, by options and by the usual environment variables.
import { BlockList, isIP } from 'node:net';

/** The proxy options of {@link nodeFetch}. */
export interface ProxyOptions {
  /**
   * The proxy's URL: `http://[USER:PASSWORD@]HOST[:PORT]`, or `https://…`; `false`: no proxy. Default: the environment
   * variables `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, also in lower case.
   */
  proxy?: string | URL | false | undefined;
  /**
   * Hosts that are reached without a proxy, separated by commas or spaces: `*`, `example.com` (with its subdomains),
   * `.example.com` (its subdomains only), `10.0.0.0/8`. A name may end in `:PORT`. Default: `NO_PROXY` of the
   * environment. This machine is always reached without a proxy.
   */
  noProxy?: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the options and the environment once.
 *
 * @returns a function that gives the proxy for a URL; undefined if the URL is reached directly
 * @throws TypeError if the proxy's URL has another protocol than `http:` or `https:`
 */
export function proxyChoice(
  options: ProxyOptions,
  environment: Environment = process.env,
): (url: URL) => URL | undefined {
  const { proxy } = options;
  const either = (name: string): string | undefined =>
    nonEmpty(environment[name.toLowerCase()]) ?? nonEmpty(environment[name]);
  if (proxy === false) return () => undefined;
  const all = proxy ?? either('ALL_PROXY');
  // In a CGI program, HTTP_PROXY comes from a header of the request, so any client could choose the proxy.
  const isCgi = environment['REQUEST_METHOD'] !== undefined;
  const http = parseProxy(proxy ?? (isCgi ? nonEmpty(environment['http_proxy']) : either('HTTP_PROXY')) ?? all);
  const https = parseProxy(proxy ?? either('HTTPS_PROXY') ?? all);
  const isExempt = exemptions(options.noProxy ?? either('NO_PROXY') ?? '');
  return (url) => (isExempt(url) ? undefined : url.protocol === 'https:' ? https : http);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function parseProxy(proxy: string | URL | undefined): URL | undefined {
  if (proxy === undefined) return undefined;
  const text = String(proxy);
  const url = URL.canParse(text) && text.includes('://') ? new URL(text) : new URL(`http://${text}`);
  if (!['http:', 'https:'].includes(url.protocol)) {
    // Do not show the URL: it may contain a password.
    throw new TypeError(`a proxy cannot be reached by ${url.protocol}; its URL must begin with http:// or https://`);
  }
  return url;
}

interface Exemption {
  readonly port: string | undefined;
  matches(host: string): boolean;
}

function exemptions(list: string): (url: URL) => boolean {
  const all = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(exemption);
  return (url) => {
    const host = hostForLookup(url.hostname);
    if (isThisMachine(host)) return true;
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    return all.some((entry) => (entry.port === undefined || entry.port === port) && entry.matches(host));
  };
}

function exemption(text: string): Exemption {
  if (text === '*') return { port: undefined, matches: () => true };
  const subnet = /^\[?([0-9a-f.:]+)\]?\/(\d+)$/i.exec(text);
  if (subnet !== null) return { port: undefined, matches: inSubnet(subnet[1] ?? '', Number(subnet[2])) };
  // An IPv6 address without brackets has no port.
  const [, host = text, port] = isIP(text) === 6 ? [] : (/^(.*?)(?::(\d+))?$/.exec(text) ?? []);
  const name = hostForLookup(host.toLowerCase()).replace(/^\*?\.?/, '');
  // A name that begins with a dot means its subdomains only.
  const itself = !/^\*?\./.test(host);
  return {
    port,
    matches: (found) => (itself && found === name) || (isIP(name) === 0 && found.endsWith(`.${name}`)),
  };
}

function inSubnet(address: string, prefix: number): (host: string) => boolean {
  const family = isIP(address);
  if (family === 0 || prefix > (family === 4 ? 32 : 128)) return () => false;
  const list = new BlockList();
  list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  return (host) => isIP(host) === family && list.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Gives a URL's host in the form for DNS and sockets: without the brackets of an IPv6 address, and a final dot. */
export function hostForLookup(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}
