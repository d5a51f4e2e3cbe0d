// The keys that sign tokens: made when first needed, rotated with overlap, published.
import type { CryptoKey } from 'jose';

import { RegistryError } from '../../model/index.ts';

import type { PublicJwk, KeyStore, PrivateJwk, KeyRecord } from './key-record.ts';
import { loadJose } from './load-jose.ts';

/** A key that signs tokens. */
export interface SigningKey {
  /** The id of the key: its thumbprint. RFC 7638 */
  readonly kid: string;
  /** The private key, for signing. */
  readonly privateKey: CryptoKey;
  /** The public key, for verifying. */
  readonly publicKey: CryptoKey;
  /** The certificates of the key, the key's own first: DER in base64, for the header `x5c`. Default: none */
  readonly x5c?: readonly string[] | undefined;
  /** A secret that belongs to the key: a mark that is made with it proves the key. */
  readonly secret: string;
}

/** A set of public keys. RFC 7517, section 5 */
export interface KeySet {
  /** The keys. Each has its `kid`, `alg` and `use`. */
  readonly keys: readonly (PublicJwk & { readonly kid: string; readonly alg: 'ES256'; readonly use: 'sig' })[];
}

/** The keys that sign tokens. */
export interface SigningKeys {
  /** The key that signs now. */
  current(): Promise<SigningKey>;
  /**
   * Finds the key that has signed a token; undefined: it is unknown, or was retired.
   *
   * Rejects with UNAVAILABLE if that cannot be told now.
   */
  find(kid: string): Promise<SigningKey | undefined>;
  /** The public keys, also the one that will sign next. */
  published(): Promise<KeySet>;
  /** Calls the listener when keys come or go. Caches of verified tokens are cleared then. */
  onChange(listener: () => void): void;
}

/** Options of {@link openSigningKeys}. */
export interface SigningKeysOptions {
  /** Milliseconds for which a key signs. Default: 90 days */
  rotateAfter?: number | undefined;
  /** Milliseconds for which a key is published before it signs, so that others have read it by then. Default: 1 day */
  publishBefore?: number | undefined;
  /** Milliseconds for which a key verifies after it has signed last: the longest life of a token. Default: 31 days */
  keepAfter?: number | undefined;
  /** The time in milliseconds since 1970. Default: `Date.now` */
  now?: (() => number) | undefined;
}

const day = 24 * 60 * 60_000;
/** Milliseconds for which the store is not read again for an unknown key: every client can name one. */
const lookAgainAfter = 1000;
/** Milliseconds for which a store is left alone that could not take a new key. */
const renewAgainAfter = 60_000;

/**
 * Opens the signing keys of a store. The first key is made when the store has none. Several processes may share a
 * store.
 *
 * @example
 * const keys = await openSigningKeys(keysFile('keys.json'));
 * const { token } = await tokenIssuer({ keys, issuer, service }).access(identity, scopes);
 */
export async function openSigningKeys(store: KeyStore, options: SigningKeysOptions = {}): Promise<SigningKeys> {
  const keys = new StoredKeys(store, options);
  await keys.current();
  return keys;
}

class StoredKeys implements SigningKeys {
  readonly #store: KeyStore;
  readonly #rotateAfter: number;
  readonly #publishBefore: number;
  readonly #keepAfter: number;
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  /** Oldest first. */
  #keys: readonly { created: number; jwk: PrivateJwk; key: SigningKey }[] = [];
  #reading: Promise<void> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  /** When the store failed last to take a new key. */
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(store: KeyStore, options: SigningKeysOptions) {
    this.#store = store;
    this.#rotateAfter = options.rotateAfter ?? 90 * day;
    this.#publishBefore = Math.min(options.publishBefore ?? day, this.#rotateAfter / 2);
    this.#keepAfter = options.keepAfter ?? 31 * day;
    this.#now = options.now ?? Date.now;
  }

  async current(): Promise<SigningKey> {
    await this.#renew();
    const now = this.#now();
    // A key signs once it has been published for long enough; the very first one at once.
    const ready = this.#keys.filter(({ created }) => created + this.#publishBefore <= now);
    const { key } = ready.at(-1) ?? this.#keys[0] ?? { key: undefined };
    if (key === undefined) throw new Error('the store of signing keys did not keep the key that was made');
    return key;
  }

  async find(kid: string): Promise<SigningKey | undefined> {
    const found = this.#known(kid);
    const isFresh = this.#reading === undefined && Math.abs(this.#now() - this.#readAt) < lookAgainAfter;
    if (found !== undefined || isFresh) return found;
    // Another process may have made it.
    try {
      await this.#read();
    } catch (cause) {
      throw new RegistryError('UNAVAILABLE', 'the keys of tokens cannot be read: try again later', { cause });
    }
    return this.#known(kid);
  }

  async published(): Promise<KeySet> {
    await this.#renew();
    return {
      keys: this.#keys.map(({ jwk: { kty, crv, x, y }, key: { kid } }) => ({
        kty,
        crv,
        x,
        y,
        kid,
        alg: 'ES256',
        use: 'sig',
      })),
    };
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  #known(kid: string): SigningKey | undefined {
    return this.#keys.find(({ key }) => key.kid === kid)?.key;
  }

  /** Makes the next key in time, and lets go of those that no valid token names. */
  async #renew(): Promise<void> {
    if (this.#isInOrder(this.#keys)) return;
    if (this.#keys.length > 0 && Math.abs(this.#now() - this.#failedAt) < renewAgainAfter) return;
    try {
      await this.#renewNow();
    } catch (error) {
      // An old key does until the store can be written: it may be a file that is mounted read-only.
      if (this.#keys.length === 0) throw error;
      this.#failedAt = this.#now();
    }
  }

  async #renewNow(): Promise<void> {
    await this.#read();
    if (this.#isInOrder(this.#keys)) return;
    const made = { jwk: await newKey(), created: this.#now() };
    // Another process may have been faster.
    await this.#store.update((keys) => (this.#isInOrder(keys) ? keys : this.#wanted([...keys, made])));
    await this.#read();
  }

  #isInOrder(keys: readonly Pick<KeyRecord, 'created'>[]): boolean {
    const newest = Math.max(...keys.map(({ created }) => created));
    const isNewEnough = this.#now() < newest + this.#rotateAfter;
    return isNewEnough && this.#wanted(keys).length === keys.length;
  }

  /** Without the keys whose last tokens have ended. */
  #wanted<Key extends Pick<KeyRecord, 'created'>>(keys: readonly Key[]): Key[] {
    const sorted = keys.toSorted((a, b) => a.created - b.created);
    return sorted.filter((_, i) => {
      const next = sorted[i + 1];
      return next === undefined || this.#now() < next.created + this.#publishBefore + this.#keepAfter;
    });
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readNow().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #readNow(): Promise<void> {
    // Before reading: a store that fails is not asked for each unknown key either.
    this.#readAt = this.#now();
    const records = await this.#store.read();
    const before = new Map(this.#keys.map((known) => [known.jwk.d, known]));
    const keys = await Promise.all(
      this.#wanted(records).map(
        async ({ jwk, created }) => before.get(jwk.d) ?? { jwk, created, key: await importKey(jwk) },
      ),
    );
    const hasChanged = keys.length !== this.#keys.length || keys.some(({ jwk }) => !before.has(jwk.d));
    this.#keys = keys;
    if (hasChanged) for (const listener of this.#listeners) listener();
  }
}

async function newKey(): Promise<PrivateJwk> {
  const { generateKeyPair, exportJWK } = await loadJose();
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  const { x, y, d } = await exportJWK(privateKey);
  if (x === undefined || y === undefined || d === undefined) throw new Error('this runtime exports no EC keys');
  return { kty: 'EC', crv: 'P-256', x, y, d };
}

async function importKey(jwk: PrivateJwk): Promise<SigningKey> {
  const { importJWK, calculateJwkThumbprint } = await loadJose();
  const { kty, crv, x, y, d } = jwk;
  const publicJwk = { kty, crv, x, y };
  const [privateKey, publicKey] = [await importJWK({ ...publicJwk, d }, 'ES256'), await importJWK(publicJwk, 'ES256')];
  if (privateKey instanceof Uint8Array || publicKey instanceof Uint8Array) throw new Error('the key is no EC key');
  return { kid: await calculateJwkThumbprint(publicJwk), privateKey, publicKey, secret: d };
}

/**
 * One key of your own, for example of a company's authority. It is not rotated.
 *
 * @example const keys = await signingKeyFrom({ key: await readFile('key.pem', 'utf8') });
 * @param pem `key`: the private EC key on P-256 (PKCS #8); `certificates`: its certificates, its own first, which every
 *   token then carries as `x5c`, as registries with `rootcertbundle` want
 * @throws Error if the key is no such key
 */
export async function signingKeyFrom(pem: { key: string; certificates?: string | undefined }): Promise<SigningKeys> {
  const { importPKCS8, exportJWK } = await loadJose();
  let jwk: PrivateJwk;
  try {
    const { x, y, d, kty, crv } = await exportJWK(await importPKCS8(pem.key, 'ES256', { extractable: true }));
    if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined || d === undefined) throw new Error('no');
    jwk = { kty: 'EC', crv: 'P-256', x, y, d };
  } catch {
    // The cause could quote the key.
    throw new Error('the signing key is no private EC key on P-256 in PKCS #8 (-----BEGIN PRIVATE KEY-----)');
  }
  const x5c = pem.certificates === undefined ? undefined : certificatesIn(pem.certificates);
  const key = { ...(await importKey(jwk)), x5c };
  const published: KeySet = {
    keys: [{ kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y, kid: key.kid, alg: 'ES256', use: 'sig' }],
  };
  return {
    current: () => Promise.resolve(key),
    find: (kid) => Promise.resolve(kid === key.kid ? key : undefined),
    published: () => Promise.resolve(published),
    onChange: () => undefined,
  };
}

function certificatesIn(text: string): string[] {
  const found = [...text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)];
  if (found.length === 0) throw new Error('the certificates of the signing key have no -----BEGIN CERTIFICATE-----');
  return found.map(([, base64 = '']) => base64.replaceAll(/\s/g, ''));
}
