// The public keys of an issuer: found when first needed, renewed, and never fetched too often.
import { RegistryError } from '../../model/index.ts';

import { fetchJson } from './fetched-json.ts';
import type { FetchJson } from './fetched-json.ts';

/** A set of public keys, as an issuer publishes it. RFC 7517, section 5 */
export interface IssuerKeySet {
  /** The keys. Those of unknown types are ignored. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** The source of an issuer's keys. */
export interface KeySource {
  /** The issuer, as its tokens name it. */
  issuer: string;
  /** The address of the keys. Default: the issuer's discovery document names it. */
  jwksUri?: string | undefined;
  /** The part of `fetch` that is used. */
  fetch: FetchJson;
  /** The header `Authorization` for the issuer. */
  authorization: (() => string | undefined | Promise<string | undefined>) | undefined;
  /** Milliseconds for which keys are not fetched again. */
  maxAge: number;
  /** The time in milliseconds since 1970. */
  now: () => number;
}

/** Milliseconds between two fetches for keys that are not known: every client can name one. */
const unknownKeyPause = 60_000;
/** Milliseconds after a failure in which it counts as the answer. */
const failurePause = 5000;
/** Milliseconds for which keys are used while the issuer does not answer. */
const mostStale = 60 * 60_000;

/** Keys that are fetched from an issuer. */
export class IssuerKeys {
  readonly #source: KeySource;
  #keys: IssuerKeySet | undefined;
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #failure: Error | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #jwksUri: string | undefined;

  constructor(source: KeySource) {
    this.#source = source;
    this.#jwksUri = source.jwksUri;
  }

  /** @throws RegistryError UNAVAILABLE if there are none, or only very old ones, and the issuer does not answer */
  async current(): Promise<IssuerKeySet> {
    const age = this.#source.now() - this.#fetchedAt;
    if (this.#keys !== undefined && age < this.#source.maxAge) return this.#keys;
    const renewed = this.#renew(failurePause);
    // Old keys do while new ones are on their way.
    if (this.#keys !== undefined && age < mostStale) return this.#keys;
    await renewed;
    if (this.#keys !== undefined && this.#source.now() - this.#fetchedAt < mostStale) return this.#keys;
    const { issuer } = this.#source;
    const why = this.#failure?.message ?? 'they were not fetched';
    throw new RegistryError('UNAVAILABLE', `the keys of the issuer ${issuer} cannot be read: ${why}`, {
      retryAfter: Math.ceil(failurePause / 1000),
    });
  }

  /** Fetches the keys because a token names one that is not among them: at most once a minute. */
  async renewed(): Promise<IssuerKeySet> {
    await this.#renew(unknownKeyPause);
    return this.current();
  }

  #renew(pause: number): Promise<void> {
    if (this.#running === undefined && this.#source.now() - this.#triedAt < pause) return Promise.resolve();
    this.#running ??= this.#fetch().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #fetch(): Promise<void> {
    this.#triedAt = this.#source.now();
    try {
      const { fetch, authorization } = this.#source;
      const header = await authorization?.();
      this.#jwksUri ??= await this.#discover(header);
      this.#keys = asKeySet(await fetchJson(fetch, this.#jwksUri, header), this.#jwksUri);
      this.#fetchedAt = this.#source.now();
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error instanceof Error ? error : new Error(String(error));
      // The issuer may have moved its keys.
      this.#jwksUri = this.#source.jwksUri;
    }
  }

  /** OpenID Connect Discovery 1.0, section 4 */
  async #discover(authorization: string | undefined): Promise<string> {
    const { issuer, fetch } = this.#source;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const document = await fetchJson(fetch, url, authorization);
    const found = typeof document === 'object' && document !== null ? { ...document } : {};
    const said = 'issuer' in found ? found.issuer : undefined;
    if (said !== issuer) throw new Error(`${url} is of the issuer ${JSON.stringify(said)}, not of ${issuer}`);
    const uri = 'jwks_uri' in found ? found.jwks_uri : undefined;
    if (typeof uri !== 'string' || !isAsSafeAs(issuer, uri)) {
      throw new Error(`${url} has the jwks_uri ${JSON.stringify(uri)}: it has to be an https URL`);
    }
    return uri;
  }
}

/** Without TLS, keys could be those of an attacker. An issuer that is itself reached without TLS has accepted that. */
function isAsSafeAs(issuer: string, uri: string): boolean {
  if (!URL.canParse(uri)) return false;
  const { protocol } = new URL(uri);
  return protocol === 'https:' || (protocol === 'http:' && issuer.startsWith('http:'));
}

function asKeySet(document: unknown, url: string): IssuerKeySet {
  const keys = typeof document === 'object' && document !== null && 'keys' in document ? document.keys : undefined;
  if (!Array.isArray(keys)) throw new Error(`${url} has no list "keys"`);
  return { keys: keys.flatMap((key: unknown) => (typeof key === 'object' && key !== null ? [{ ...key }] : [])) };
}
