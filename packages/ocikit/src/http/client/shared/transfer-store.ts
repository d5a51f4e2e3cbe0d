/** Keeps what was transferred when the process ends, so that another can go on. Its keys are opaque and of any length. */
export interface TransferStore {
  /** What was noted, for example an upload's session. */
  note(key: string): Promise<string | undefined>;
  setNote(key: string, value: string | undefined): Promise<void>;
  /** The part of a content that was fetched so far. Only one holder at a time: undefined if somebody else has it. */
  openPartial(key: string): Promise<PartialContent | undefined>;
}

export interface PartialContent {
  /** Bytes that are there. */
  readonly size: number;
  /** From the first byte on. */
  read(): AsyncIterable<Uint8Array>;
  append(bytes: Uint8Array): Promise<void>;
  /** Lets go of it and keeps it. */
  close(): Promise<void>;
  /** It is whole, or wrong: nobody needs it any more. */
  remove(): Promise<void>;
}
