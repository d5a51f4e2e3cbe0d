// Several parts of a blob, in one request; one by one from a registry that cannot send them together.
import { blobDescriptor, createPartsContent, resolveRange } from '../../../model/index.ts';
import type { BlobContent, ByteRange, CallOptions, Digest, LinkedSignal, ResolvedRange } from '../../../model/index.ts';
import { parseContentRange, repositoryScope } from '../../wire/index.ts';
import { blobAddress, digestIn } from '../shared/index.ts';
import type { ClientResponse } from '../shared/index.ts';
import type { ClientCall, Transport } from '../transport/index.ts';

import { boundaryIn, MalformedMultipart, MultipartReader } from './multipart.ts';
import type { PartHead } from './multipart.ts';
import { RemoteBlob } from './remote-blob.ts';
import { WholeBlobRun } from './whole-blob-run.ts';

/** Ranges of a request, at most. */
const mostRanges = 1024;

/** Characters of a `Range` header that every server takes, whatever its other headers are. */
const modestHeader = 4000;

/** Milliseconds for which a registry is remembered that cannot send several parts. */
const rememberedFor = 60 * 60 * 1000;

/** Cut connections after which the parts are requested one by one. */
const mostCuts = 3;

/** The ability of a registry to send several parts, as far as it is known. */
interface Ability {
  /** Until then, in milliseconds since the program started, parts are requested one by one. */
  singleUntil: number;
  /** Characters of a `Range` header, at most. */
  longestHeader: number;
}

const abilities = new WeakMap<Transport, Ability>();

/** The call that asks for parts. */
export interface PartsCall {
  /** The caller's options. */
  readonly call: CallOptions;
  /** The signal of the requests. */
  readonly link: LinkedSignal;
  /** Bytes of the whole blob, if the caller knows them. */
  readonly known: number | undefined;
}

/** Opens several parts of a blob as one content. The first response has come; the bytes have not been read. */
export async function openParts(
  transport: Transport,
  repository: string,
  digest: Digest,
  ranges: readonly ByteRange[],
  given: PartsCall,
): Promise<BlobContent> {
  // A malformed range throws here, before a request is sent; the size does not matter for that.
  for (const range of ranges) resolveRange(range, 0);
  const { call, link } = given;
  const download = new PartsDownload(transport, { ...given, repository, digest });
  const size = await download.open(ranges);
  return createPartsContent({
    descriptor: blobDescriptor(digest, size),
    ranges,
    signal: call.signal,
    source: {
      iterate: (part) => download.read(part),
      cancel: async () => {
        link.unlink();
        link.abort(new DOMException('the content was cancelled', 'AbortError'));
        await download.close();
      },
    },
  });
}

/** A response with several parts, read up to the bytes of one of them. */
interface Batch {
  readonly response: ClientResponse;
  readonly reader: MultipartReader;
  /** The part whose bytes come next; undefined at the end. */
  head: PartHead | undefined;
}

/** A response without several parts. */
interface Refusal {
  readonly status: number;
  /** Bytes of the whole blob, if the response says them. */
  readonly size: number | undefined;
  /** Characters of the `Range` header. */
  readonly header: number;
  readonly reader?: undefined;
}

/** The blob whose parts are read, and the call. */
interface PartsOfBlob extends PartsCall {
  readonly repository: string;
  readonly digest: Digest;
}

class PartsDownload {
  readonly #transport: Transport;
  readonly #about: PartsOfBlob;
  /** The options of its requests. */
  readonly #call: ClientCall;
  readonly #blob: RemoteBlob;
  readonly #ability: Ability;
  #size = 0;
  /** The parts that have not been read to their end. */
  #parts: readonly ResolvedRange[] = [];
  #batch: Batch | undefined;
  /** The whole blob, from a registry that ignores ranges. */
  #whole: WholeBlobRun | undefined;
  #isSingle: boolean;
  #cuts = 0;
  #transferred = 0;

  constructor(transport: Transport, about: PartsOfBlob) {
    this.#transport = transport;
    const { repository, digest, call, link, known } = about;
    this.#about = about;
    this.#call = { ...call, signal: link.signal };
    this.#blob = new RemoteBlob(transport, repository, digest, this.#call, known);
    this.#ability = abilities.get(transport) ?? { singleUntil: 0, longestHeader: Number.POSITIVE_INFINITY };
    abilities.set(transport, this.#ability);
    this.#isSingle = performance.now() < this.#ability.singleUntil;
  }

  /**
   * Sends the first request.
   *
   * @returns bytes of the whole blob
   */
  async open(ranges: readonly ByteRange[]): Promise<number> {
    const askable = ranges.filter((range) => specOf(range) !== undefined);
    const answer = this.#isSingle || askable.length < 2 ? undefined : await this.#ask(askable);
    const { known } = this.#about;
    try {
      this.#size =
        (answer?.reader === undefined ? answer?.size : answer.head?.size) ?? known ?? (await this.#blob.askSize());
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#parts = ranges.map((range) => resolveRange(range, this.#size)).filter(({ start, end }) => start < end);
    if (answer !== undefined && answer.reader === undefined) this.#refused(answer);
    // Once the caller has the content, its bytes are fetched wherever they are.
    this.#call.redirects = undefined;
    if (this.#parts.length === 0) {
      this.#about.link.unlink();
      await this.close();
    }
    return this.#size;
  }

  /** The bytes of the next part. */
  async *read(part: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    const { call, link } = this.#about;
    const about = this.#names;
    try {
      if (this.#transferred === 0) call.onEvent?.({ type: 'started', ...about });
      for await (const piece of this.#pieces(part)) {
        this.#transferred += piece.length;
        yield piece;
        call.onEvent?.({ type: 'bytes', ...about, transferred: this.#transferred });
      }
      this.#parts = this.#parts.slice(1);
      if (this.#parts.length > 0) return;
      call.onEvent?.({ type: 'done', ...about });
      link.unlink();
      await this.close();
    } catch (error) {
      this.#transport.note(error, this.#call);
      throw error;
    }
  }

  get #names(): { repository: string; digest: Digest; size: number } {
    const { repository, digest } = this.#about;
    return { repository, digest, size: this.#size };
  }

  async *#pieces(part: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    let at = part.start;
    const batch = await this.#batchWith(part);
    if (batch !== undefined) {
      try {
        for await (const piece of batch.reader.bytes()) {
          at += piece.length;
          yield piece;
        }
        // Whether the part had as many bytes as it says shows behind it.
        batch.head = await batch.reader.next();
      } catch (error) {
        await this.#endBatch();
        this.#call.signal?.throwIfAborted();
        if (error instanceof MalformedMultipart) {
          throw this.#transport.wrongResponse(batch.response, `is no valid multipart/byteranges: ${error.message}`);
        }
        this.#cuts += 1;
        this.#call.onEvent?.({ type: 'resumed', ...this.#names, at });
      }
    }
    if (at < part.end) yield* this.#single({ start: at, end: part.end });
  }

  /** A response whose next bytes are those of this part; undefined if the part has to be requested by itself. */
  async #batchWith(part: ResolvedRange): Promise<Batch | undefined> {
    if (this.#batch !== undefined && this.#batch.head === undefined) await this.#endBatch();
    if (this.#batch === undefined) {
      if (this.#isSingle || this.#parts.length < 2 || this.#cuts >= mostCuts) return undefined;
      const answer = await this.#ask(this.#parts);
      if (answer.reader === undefined) {
        this.#refused(answer);
        return undefined;
      }
    }
    const { head } = this.#batch ?? {};
    const isRight =
      head?.range.start === part.start && head.range.end === part.end && (head.size ?? this.#size) === this.#size;
    if (isRight) return this.#batch;
    // The registry has merged parts, changed their order or left some out.
    await this.#endBatch();
    this.#onlySingle();
    return undefined;
  }

  /** Requests parts, as many as one request may ask for. */
  async #ask(ranges: readonly ByteRange[]): Promise<Batch | Refusal> {
    const { longestHeader } = this.#ability;
    const header = headerOf(ranges, longestHeader);
    const answer = await this.#transport.attempt(this.#call, () => this.#send(header));
    if (answer.reader === undefined && answer.size === undefined && header.length > modestHeader) {
      // A server with room for fewer headers than these answers 400 or 431.
      if (longestHeader > modestHeader && [400, 413, 414, 431].includes(answer.status)) {
        this.#ability.longestHeader = modestHeader;
        return this.#ask(ranges);
      }
    }
    if (answer.reader !== undefined) this.#batch = answer;
    return answer;
  }

  async #send(header: string): Promise<Batch | Refusal> {
    const { repository, digest } = this.#about;
    const response = await this.#transport.send({
      method: 'GET',
      url: blobAddress(this.#transport.base, repository, digest),
      scope: repositoryScope(repository, 'pull'),
      headers: { range: header },
      expect: [200, 206, 400, 413, 414, 416, 431],
      missing: 'BLOB_UNKNOWN',
      call: this.#call,
      lane: 'download',
    });
    const { status, headers, isEncoded } = response;
    try {
      if (status < 300) digestIn(response, digest);
      const boundary = status === 206 && !isEncoded ? boundaryIn(headers.get('content-type') ?? '') : undefined;
      if (boundary !== undefined) {
        const reader = new MultipartReader(response.body(), boundary);
        return { response, reader, head: await reader.next() };
      }
    } catch (error) {
      if (!(error instanceof MalformedMultipart)) {
        await response.discard();
        throw error;
      }
    }
    await response.discard();
    const length = status === 200 && !isEncoded ? (headers.get('content-length') ?? '') : '';
    const whole = /^\d+$/.test(length) ? Number(length) : undefined;
    const size = whole ?? parseContentRange(headers.get('content-range') ?? '')?.size;
    return { status, size, header: header.length };
  }

  /** Continues with single ranges, and remembers a registry that cannot do better. */
  #refused({ status }: Refusal): void {
    const sum = this.#parts.reduce((all, { start, end }) => all + end - start, 0);
    // Servers answer ranges that overlap with the whole content, and those of which they have only one with that one.
    const isFair = this.#parts.length > 1 && (status !== 200 || sum <= this.#size);
    if (isFair) this.#onlySingle();
    else this.#isSingle = true;
  }

  #onlySingle(): void {
    this.#isSingle = true;
    this.#ability.singleUntil = performance.now() + rememberedFor;
  }

  /** A part by a request of its own. */
  async *#single(part: ResolvedRange): AsyncGenerator<Uint8Array, void, undefined> {
    if (this.#whole?.comesTo(part) !== true) {
      await this.#whole?.close();
      this.#whole = undefined;
      const first = await this.#blob.get(part);
      if ((first.size ?? this.#size) !== this.#size) {
        await first.response.discard();
        const fault = `is of a blob of ${first.size} bytes, which had ${this.#size} before`;
        throw this.#transport.wrongResponse(first.response, fault);
      }
      if (first.response.status !== 200 || this.#parts.length === 1) {
        yield* this.#blob.pieces(part, this.#size, first);
        return;
      }
      // The registry ignores ranges: the parts behind this one are in the same response.
      const all = { start: part.start, end: endOfRun(part, this.#parts) };
      this.#whole = new WholeBlobRun(this.#blob.pieces(all, this.#size, first), all);
    }
    yield* this.#whole.take(part);
  }

  async #endBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    await batch?.reader.close().catch(() => undefined);
    await batch?.response.discard();
  }

  /** Releases the responses. */
  async close(): Promise<void> {
    await this.#endBatch();
    await this.#whole?.close();
    this.#whole = undefined;
  }
}

/** The header for the first of these ranges, and as many more as fit. */
function headerOf(ranges: readonly ByteRange[], longest: number): string {
  let header = 'bytes=';
  let count = 0;
  for (const range of ranges) {
    const one = specOf(range) ?? '';
    if (count === mostRanges || (count > 1 && header.length + one.length > longest)) break;
    header += count === 0 ? one : `,${one}`;
    count += 1;
  }
  return header;
}

/** A range as an element of the header; undefined for an empty part, which HTTP cannot ask for. */
function specOf(range: ByteRange): string | undefined {
  if ('last' in range) return range.last === 0 ? undefined : `-${range.last}`;
  const { start, end } = range;
  if (end === undefined) return `${start}-`;
  return end <= start ? undefined : `${start}-${end - 1}`;
}

/** The end of the parts that follow this one in the order of the blob's bytes. */
function endOfRun(part: ResolvedRange, [, ...rest]: readonly ResolvedRange[]): number {
  let { end } = part;
  for (const next of rest) {
    if (next.start < end) break;
    ({ end } = next);
  }
  return end;
}
