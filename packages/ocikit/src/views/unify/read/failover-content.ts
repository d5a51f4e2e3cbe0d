// The content of a blob that continues with another member if its member fails.
import { createContent, Digester, splitDigest, wrongDigest } from '../../../model/index.ts';
import type { BlobContent, ByteReader, CallOptions, Digest, Registry, ResolvedRange } from '../../../model/index.ts';

import type { Caller, MemberFailure, Member } from '../members/index.ts';
import { mostTelling } from '../members/index.ts';

/** The parts of a content with failover. */
export interface FailoverParts {
  /** The repository of the blob. */
  repository: string;
  /** The blob's digest. */
  digest: Digest;
  /** The member that sends the content at first. */
  member: Member;
  /** The content of that member. */
  content: BlobContent;
  /** The members that are asked if the content breaks off, each once. */
  others: readonly Member[];
  /** The caller's options. */
  options: CallOptions;
  /** The caller. */
  caller: Caller;
  /** Called at the end of the reading. */
  onEnd: () => void;
}

/**
 * A content that continues at the same byte with another member if its member fails. No member verifies bytes that come
 * from several, so the digest of a whole blob is computed here, and compared before the last bytes are given to the
 * reader.
 */
export function failoverContent(parts: FailoverParts): BlobContent {
  const { content, options } = parts;
  const { descriptor, range } = content;
  const reading = new FailoverReader(parts);
  const cancel = (): Promise<void> => reading.close();
  return createContent({
    descriptor,
    range,
    signal: options.signal,
    source:
      content.form === 'buffer' ? { open: () => reading.open(), cancel } : { iterate: () => reading.pieces(), cancel },
  });
}

class FailoverReader implements ByteReader {
  readonly #parts: FailoverParts;
  readonly #range: ResolvedRange;
  readonly #others: Member[];
  readonly #digester: Digester | undefined;
  #content: BlobContent;
  #member: Member;
  #at: number;
  #ended = false;

  constructor(parts: FailoverParts) {
    const { content, digest } = parts;
    const { start, end } = content.range;
    this.#parts = parts;
    this.#content = content;
    this.#member = parts.member;
    this.#range = content.range;
    this.#others = [...parts.others];
    this.#at = start;
    const isWhole = start === 0 && end === content.descriptor.size;
    this.#digester = isWhole ? new Digester(splitDigest(digest).algorithm) : undefined;
  }

  async open(): Promise<ByteReader> {
    await this.#try((content) => content.open());
    return this;
  }

  async readInto(buffer: Uint8Array): Promise<number> {
    const count = await this.#try(async (content) => {
      const found = await content.readInto(buffer);
      if (found === 0) throw new Error('the content ended too early');
      return found;
    });
    this.#received(buffer.subarray(0, count));
    return count;
  }

  async *pieces(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      let [from, pieces] = [this.#content, this.#content[Symbol.asyncIterator]()];
      while (this.#at < this.#range.end) {
        const piece = await this.#try(async (content) => {
          if (content !== from) [from, pieces] = [content, content[Symbol.asyncIterator]()];
          const next = await pieces.next();
          if (next.done === true) throw new Error('the content ended too early');
          return next.value;
        });
        this.#received(piece);
        yield piece;
      }
      // A member that verifies its content does so at the end. Then it releases its file or connection.
      await pieces.next();
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#parts.onEnd();
    await this.#content.cancel();
  }

  #received(bytes: Uint8Array): void {
    this.#digester?.update(bytes);
    this.#at += bytes.length;
    if (this.#at !== this.#range.end || this.#digester === undefined) return;
    const { digest } = this.#parts;
    const found = this.#digester.digest();
    if (found !== digest) throw wrongDigest(digest, found);
  }

  /** Makes the next step of reading, with another member if this one fails. */
  async #try<T>(step: (content: BlobContent) => Promise<T>): Promise<T> {
    for (const failures: MemberFailure[] = []; ;) {
      try {
        return await step(this.#content);
      } catch (error) {
        this.#parts.caller.assertWants();
        failures.push({ member: this.#member, error });
        if (this.#ended || this.#at >= this.#range.end) throw error;
        await this.#content.cancel().catch(() => undefined);
        await this.#next(failures);
      }
    }
  }

  async #next(failures: MemberFailure[]): Promise<void> {
    const { caller, repository, digest } = this.#parts;
    for (let member = this.#others.shift(); member !== undefined; member = this.#others.shift()) {
      try {
        this.#content = await this.#rest(member.registry);
        this.#member = member;
        const { size } = this.#content.descriptor;
        if (this.#at > this.#range.start) caller.tell({ type: 'resumed', repository, digest, size, at: this.#at });
        return;
      } catch (error) {
        caller.assertWants();
        failures.push({ member, error });
      }
    }
    throw mostTelling(failures);
  }

  async #rest(registry: Registry): Promise<BlobContent> {
    const { options, caller, repository, digest } = this.#parts;
    const { end } = this.#range;
    const { size } = this.#content.descriptor;
    const isWhole = this.#at === 0 && end === size;
    const content = await registry.getBlob(repository, digest, {
      ...options,
      signal: caller.signal,
      onEvent: caller.onEvent,
      range: isWhole ? undefined : { start: this.#at, end },
    });
    const { range, descriptor } = content;
    if (range.start === this.#at && range.end === end && descriptor.size === size) return content;
    await content.cancel();
    const found = `${range.start} to ${range.end} of ${descriptor.size}`;
    const wanted = `${this.#at} to ${end} of ${size}`;
    throw new Error(`another member sent bytes ${found} instead of ${wanted}`);
  }
}
