// The content of several parts of a blob that continues with other members if its member fails.
import { createPartsContent } from '../../../model/index.ts';
import type { BlobContent, ByteReader, ResolvedRange } from '../../../model/index.ts';

import type { Caller } from '../members/index.ts';

/** The parts of a content of several parts with failover. */
export interface FailoverPartsOptions {
  /** The content of the first member that has the blob. */
  content: BlobContent;
  /** Reads a part from other members, if there are any. */
  readElsewhere: ((range: ResolvedRange) => Promise<BlobContent>) | undefined;
  /** The caller. */
  caller: Caller;
  /** The caller's own signal. */
  signal: AbortSignal | undefined;
  /** Called at the end of the reading. */
  onEnd: () => void;
}

/** A content of several parts. After a failure of its member, the rest is read from others, one part after another. */
export function failoverParts(options: FailoverPartsOptions): BlobContent {
  const { content, signal, onEnd } = options;
  const cancel = async (): Promise<void> => {
    onEnd();
    await content.cancel();
  };
  return createPartsContent({
    descriptor: content.descriptor,
    ranges: content.parts ?? [content.range],
    signal,
    source: { open: async (part) => new FailoverPartsReader(part, options), cancel },
  });
}

class FailoverPartsReader implements ByteReader {
  readonly #options: FailoverPartsOptions;
  #content: BlobContent;
  /** The failure of the first member: the content is then a single part of another one. */
  #failure: { error: unknown } | undefined;
  #part: ResolvedRange;
  #at: number;

  constructor(part: ResolvedRange, options: FailoverPartsOptions) {
    this.#options = options;
    this.#content = options.content;
    this.#part = part;
    this.#at = part.start;
  }

  async moveTo(part: ResolvedRange): Promise<void> {
    this.#part = part;
    this.#at = part.start;
    if (this.#failure === undefined) return;
    await this.#content.cancel();
    await this.#readElsewhere(this.#failure.error);
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    try {
      return this.#took(await this.#content.readInto(buffer));
    } catch (error) {
      this.#options.caller.assertWants();
      if (this.#failure !== undefined) throw error;
      this.#failure = { error };
      await this.#content.cancel().catch(() => undefined);
      await this.#readElsewhere(error);
      return this.#took(await this.#content.readInto(buffer));
    }
  }

  #took(count: number): number {
    this.#at += count;
    return count;
  }

  /** @param failure the error if no other member has the part */
  async #readElsewhere(failure: unknown): Promise<void> {
    const { readElsewhere, content, caller } = this.#options;
    const { size } = content.descriptor;
    if (readElsewhere === undefined) throw failure;
    try {
      this.#content = await readElsewhere({ start: this.#at, end: this.#part.end });
    } catch {
      caller.assertWants();
      throw failure;
    }
    const found = this.#content.descriptor.size;
    if (found !== size) throw new Error(`another member has a blob of ${found} bytes instead of ${size}`);
  }

  async close(): Promise<void> {
    this.#options.onEnd();
    await this.#content.cancel();
  }
}
