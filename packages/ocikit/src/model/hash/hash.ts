// The interface of a running hash.

/** A running hash. */
export interface Hash {
  /** Adds the next bytes. */
  update(bytes: Uint8Array): void;
  /** The hash of all bytes so far. `update` may be called again afterwards. */
  digest(): Uint8Array;
}
