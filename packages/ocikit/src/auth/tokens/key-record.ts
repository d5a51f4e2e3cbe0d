// Signing keys as they are stored.

/** A key that signs tokens, as it is stored. It is secret. */
export interface KeyRecord {
  /** The private key: an EC key on P-256 as a JSON Web Key. RFC 7517 */
  readonly jwk: PrivateJwk;
  /** When it was made, in milliseconds since 1970. */
  readonly created: number;
}

/** A private EC key on P-256 as a JSON Web Key. RFC 7518, section 6.2 */
export interface PrivateJwk extends PublicJwk {
  /** The private key, in base64url. */
  readonly d: string;
}

/** A public EC key on P-256 as a JSON Web Key. RFC 7518, section 6.2 */
export interface PublicJwk {
  /** The type of the key. */
  readonly kty: 'EC';
  /** The curve of the key. */
  readonly crv: 'P-256';
  /** A coordinate, in base64url. */
  readonly x: string;
  /** A coordinate, in base64url. */
  readonly y: string;
}

/**
 * A place for signing keys. {@link memoryKeys} and `keysFile` make one, and a vault can be one.
 *
 * @example const store: KeyStore = memoryKeys();
 */
export interface KeyStore {
  /** Reads all keys. */
  read(): Promise<readonly KeyRecord[]>;
  /**
   * Replaces the keys by what `change` makes of them. No other change comes between reading and writing, and a reader
   * sees all of the change or nothing.
   */
  update(change: (keys: readonly KeyRecord[]) => readonly KeyRecord[]): Promise<void>;
}

/**
 * Keeps signing keys in memory: no token outlives the process.
 *
 * @example const keys = await openSigningKeys(memoryKeys());
 */
export function memoryKeys(): KeyStore {
  let keys: readonly KeyRecord[] = [];
  return {
    read: () => Promise.resolve(keys),
    update: (change) => {
      keys = change(keys);
      return Promise.resolve();
    },
  };
}
