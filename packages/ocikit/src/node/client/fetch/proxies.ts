// Chooses the proxy for a URL, by options and by the usual environment variables.
import { BlockList, isIP } from 'node:net';

/** The proxy options of {@link nodeFetch}. */
export interface ProxyOptions {
  /**
   * The proxy's URL: `http://[USER:PASSWORD@]HOST[:PORT]`, or `https://…`; `false`: no proxy. Default: the environment
   * variables `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, also in lower case; blank ones name none.
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
 * @returns a function that gives the proxy for a URL; undefined if the URL is reached directly. It throws a TypeError
 * if a variable of the environment names that proxy by anything but an `http:` or `https:` URL
 * @throws TypeError if the option names the proxy in such a way
 */
export function proxyChoice(
  options: ProxyOptions,
  environment: Environment = process.env,
): (url: URL) => URL | undefined {
  const { proxy } = options;
  if (proxy === false || (proxy !== undefined && isBlank(String(proxy)))) return () => undefined;
  const variable = (name: string): Named | undefined =>
    isBlank(environment[name]) ? undefined : { name, value: environment[name] ?? '' };
  const either = (name: string): Named | undefined => variable(name.toLowerCase()) ?? variable(name);
  const all = either('ALL_PROXY');
  // In a CGI program, HTTP_PROXY comes from a header of the request, so any client could choose the proxy.
  const isCgi = environment['REQUEST_METHOD'] !== undefined;
  const given = proxy === undefined ? undefined : parseProxy({ name: 'the option `proxy`', value: String(proxy) });
  const http = whenUsed((isCgi ? variable('http_proxy') : either('HTTP_PROXY')) ?? all);
  const https = whenUsed(either('HTTPS_PROXY') ?? all);
  const isExempt = exemptions(options.noProxy ?? either('NO_PROXY')?.value ?? '');
  return (url) => (isExempt(url) ? undefined : (given ?? (url.protocol === 'https:' ? https() : http())));
}

/** The text that names a proxy, and the place that it comes from. */
interface Named {
  name: string;
  value: string;
}

function isBlank(text: string | undefined): boolean {
  return text === undefined || text.trim() === '';
}

/** A variable of the environment may be meant for other programs: it is read for the first request that needs it. */
function whenUsed(named: Named | undefined): () => URL | undefined {
  let url: URL | undefined;
  return () => (url ??= named === undefined ? undefined : parseProxy(named));
}

/** @throws TypeError that does not show the URL, as it may contain a password */
function parseProxy({ name, value }: Named): URL {
  const text = value.trim();
  const url = urlIn(text.includes('://') ? text : `http://${text}`);
  if (url !== undefined && ['http:', 'https:'].includes(url.protocol)) return url;
  const why = url === undefined ? 'no URL' : `a proxy by ${url.protocol}`;
  const message = `${name} names ${why}: give the URL of a proxy that begins with http:// or https://, or none`;
  // The code tells that another attempt is useless.
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_PROXY' });
}

function urlIn(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
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
