// The store of unfinished transfers.

/**
 * Keeps unfinished transfers when the process ends, so that another process can resume them. Its keys are opaque and
 * of any length.
 */
export interface TransferStore {
  /** The text that was noted under a key, for example an upload's session; undefined if there is none. */
  note(key: string): Promise<string | undefined>;
  /** Notes a text under a key; undefined removes it. */
  setNote(key: string, value: string | undefined): Promise<void>;
  /**
   * Opens the part of a content that was fetched so far. It has one holder at a time: undefined if there is another
   * holder.
   */
  openPartial(key: string): Promise<PartialContent | undefined>;
}

/** The part of a content that was fetched so far. */
export interface PartialContent {
  /** Bytes that are there. */
  readonly size: number;
  /** Reads it from the first byte on. */
  read(): AsyncIterable<Uint8Array>;
  /** Adds bytes at its end. */
  append(bytes: Uint8Array): Promise<void>;
  /** Releases it and keeps its bytes. */
  close(): Promise<void>;
  /** Releases it and deletes its bytes: the content is whole, or wrong. */
  remove(): Promise<void>;
}
