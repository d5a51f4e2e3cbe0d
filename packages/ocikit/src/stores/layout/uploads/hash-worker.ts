import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { digestAlgorithm } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import type { StageDigest } from '../../blobs/index.ts';

import { hashThread } from './hash-thread.ts';
import type { HashReply, HashRequest, WriteOutcome } from './hash-thread.ts';

/** Milliseconds after which a worker that has nothing to do is ended. */
const idle = 300;
const mostFiles = 64;
/** One core writes and hashes more than a gigabyte in a second, and what the receiving thread can bring is not much more. */
const mostWorkers = 2;
/** Bytes after which the worker is told that there are more. */
const step = 1024 * 1024;
/** Bytes that are given to the worker at a time: copied for it, or shared with it. */
const slotSize = 1024 * 1024;
const largestShared = 2 * 1024 * 1024;

/**
 * Computes digests of files in a thread of its own, so that the one that receives them has that much more time for receiving.
 * Large pieces it is given, writes and hashes. Small ones it reads just behind whoever writes them: what was just written costs
 * little to read.
 */
class HashWorker {
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #files = new Map<number, (hash: string | undefined) => void>();
  /** Who waits for bytes of a file to be written, in their order. */
  readonly #writes = new Map<number, ((outcome: WriteOutcome) => void)[]>();
  #last = 0;
  /** Answers that somebody waits for. */
  #awaited = 0;

  /** Files that it follows now. */
  get fileCount(): number {
    return this.#files.size;
  }

  follow(path: string, algorithm: string): HashedFile {
    this.#worker ??= this.#start();
    clearTimeout(this.#timer);
    const id = ++this.#last;
    this.#files.set(id, () => undefined);
    const file = new HashedFile(algorithm, {
      post: (message) => this.#worker?.postMessage({ id, ...message }),
      reply: () => this.#replyOf(id),
      write: (bytes, position) => this.#write(id, bytes, position),
      end: () => this.#end(id),
    });
    this.#worker.postMessage({ id, do: 'open', path, algorithm } satisfies HashRequest);
    return file;
  }

  /** The process waits for this, even if it has nothing else to do: it would end in the middle of a push. */
  async #replyOf(id: number): Promise<string | undefined> {
    if (!this.#files.has(id)) return undefined;
    return this.#whileAwaited(new Promise((resolve) => this.#files.set(id, resolve)));
  }

  async #write(id: number, bytes: Uint8Array, position: number): Promise<WriteOutcome> {
    const worker = this.#worker;
    if (!this.#files.has(id) || worker === undefined) return 'not';
    const written = new Promise<WriteOutcome>((resolve) => {
      const waiting = this.#writes.get(id);
      if (waiting === undefined) this.#writes.set(id, [resolve]);
      else waiting.push(resolve);
    });
    worker.postMessage({ id, do: 'write', bytes, position } satisfies HashRequest);
    return this.#whileAwaited(written);
  }

  async #whileAwaited<T>(answer: Promise<T>): Promise<T> {
    this.#awaited += 1;
    this.#worker?.ref();
    const found = await answer;
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#worker?.unref();
    return found;
  }

  #receive(answer: HashReply): void {
    if ('hash' in answer) {
      this.#files.get(answer.id)?.(answer.hash);
      return;
    }
    const waiting = this.#writes.get(answer.id);
    waiting?.shift()?.(answer.written);
    if (waiting?.length === 0) this.#writes.delete(answer.id);
  }

  #start(): Worker {
    const worker = new Worker(`(${hashThread.toString()})(require)`, { eval: true });
    worker.on('message', (answer: HashReply) => this.#receive(answer));
    worker.on('error', () => this.#forget(worker));
    worker.on('exit', () => this.#forget(worker));
    // Nobody waits for a thread from which nothing is wanted. Said after the listeners, which take it back.
    worker.unref();
    return worker;
  }

  /** It is gone: whoever waits for it reads the file by themselves. */
  #forget(worker: Worker): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const answer of this.#files.values()) answer(undefined);
    this.#files.clear();
    for (const settle of [...this.#writes.values()].flat()) settle('not');
    this.#writes.clear();
  }

  #end(id: number): void {
    const answer = this.#files.get(id);
    if (!this.#files.delete(id)) return;
    answer?.(undefined);
    this.#worker?.postMessage({ id, do: 'close' } satisfies HashRequest);
    if (this.#files.size > 0) return;
    this.#timer = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate();
    }, idle);
    this.#timer.unref();
  }
}

interface HashChannel {
  post: (message: { do: 'read' | 'digest'; size: number }) => void;
  reply: () => Promise<string | undefined>;
  write: (bytes: Uint8Array, position: number) => Promise<WriteOutcome>;
  end: () => void;
}

/** A file that is written, and read behind the writing. */
export class HashedFile implements StageDigest {
  readonly #algorithm: string;
  readonly #channel: HashChannel;
  #reported = 0;
  /** Whether the thread has written something of this file. */
  #hasWritten = false;
  /** What becomes of the last bytes, if nobody has waited for them. */
  #last: Promise<WriteOutcome> | undefined;
  /** Two, as the worker still hashes one when the other one is filled. */
  #slots: { next: Uint8Array; last: Uint8Array } | undefined;

  constructor(algorithm: string, channel: HashChannel) {
    this.#algorithm = algorithm;
    this.#channel = channel;
  }

  /** So many bytes are written. */
  grew(size: number): void {
    if (size < this.#reported + step) return;
    this.#reported = size;
    this.#channel.post({ do: 'read', size });
  }

  /**
   * Has bytes written, one call after another. Of bytes in memory that both threads have, the last ones may not have been written when
   * it resolves, so that the thread need not wait for more: {@link settled} says when, and the next call fails for them.
   *
   * @param bytes if they are in such memory, they must not change before two more calls have ended: they are hashed after they have
   * been written
   * @returns how many of them were; fewer than all if nobody is there to do it
   * @throws what the system says
   */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    let at = 0;
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    while (at < bytes.length) {
      const part = bytes.subarray(at, at + (isShared ? largestShared : slotSize));
      // Whether the thread is there, the first write has shown.
      const mayWait = isShared && this.#hasWritten;
      if (!mayWait) await this.settled();
      const written = this.#channel.write(isShared ? part : this.#copied(part), position + at);
      if (mayWait) {
        const last = this.#last;
        this.#last = written;
        assertWritten(await last);
      } else {
        const outcome = await written;
        if (outcome === 'not') break;
        assertWritten(outcome);
        this.#hasWritten = true;
      }
      at += part.length;
      this.#reported = Math.max(this.#reported, position + at);
    }
    return at;
  }

  /** Resolves when all is written. */
  async settled(): Promise<void> {
    const last = this.#last;
    this.#last = undefined;
    assertWritten(await last);
  }

  #copied(part: Uint8Array): Uint8Array {
    this.#slots ??= { next: newSlot(), last: newSlot() };
    const { next, last } = this.#slots;
    this.#slots = { next: last, last: next };
    next.set(part);
    return next.subarray(0, part.length);
  }

  /** Rejects as {@link settled} does. */
  async digest(size: number): Promise<Digest | undefined> {
    await this.settled();
    const answer = this.#channel.reply();
    this.#channel.post({ do: 'digest', size });
    const hash = await answer;
    const isWhole = hash?.length === digestAlgorithm(this.#algorithm).size * 2;
    return isWhole ? `${this.#algorithm}:${hash}` : undefined;
  }

  close(): void {
    this.#channel.end();
  }
}

function assertWritten(outcome: WriteOutcome = 'all'): void {
  if (outcome === 'not') throw new Error('the thread that writes has ended');
  if (outcome !== 'all') throw Object.assign(new Error(outcome.message), outcome);
}

function newSlot(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(slotSize));
}

/** The threads of the process for this: as many as there are files at the same time, but no more than cores, or than a few. */
class HashWorkers {
  readonly #workers: HashWorker[] = [];
  readonly #most = Math.min(availableParallelism(), mostWorkers);

  /** @returns undefined if there are too many already */
  follow(path: string, algorithm: string): HashedFile | undefined {
    const count = this.#workers.reduce((sum, { fileCount }) => sum + fileCount, 0);
    // Another algorithm is its own library's, which the worker does not have.
    if (count >= mostFiles || !['sha256', 'sha512'].includes(algorithm)) return undefined;
    const [least] = this.#workers.toSorted((a, b) => a.fileCount - b.fileCount);
    if (least !== undefined && (least.fileCount === 0 || this.#workers.length >= this.#most)) {
      return least.follow(path, algorithm);
    }
    const another = new HashWorker();
    this.#workers.push(another);
    return another.follow(path, algorithm);
  }
}

export const hashWorkers: HashWorkers = new HashWorkers();
