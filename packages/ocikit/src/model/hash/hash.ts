/** A running hash, as the runtime's own implementation gives it. */
export interface Hash {
  update(bytes: Uint8Array): void;
  /** The hash of everything given so far; `update` may go on afterwards. */
  digest(): Uint8Array;
}
