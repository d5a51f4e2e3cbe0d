// Threads that write and hash large uploads, and the files that they work on.
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { digestAlgorithm } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import type { StageDigest } from '../../blobs/index.ts';

import { hashThread } from './hash-thread.ts';
import type { HashReply, HashRequest, WriteOutcome } from './hash-thread.ts';

/** Milliseconds after which an idle worker is ended. */
const idle = 300;
const mostFiles = 64;
/** One core writes and hashes more than a gigabyte per second, and the receiving thread is not much faster. */
const mostWorkers = 2;
/** Bytes between two messages that the file has grown. */
const step = 1024 * 1024;
/** Bytes given to the worker at a time, copied into shared memory. */
const slotSize = 1024 * 1024;
const largestShared = 2 * 1024 * 1024;

/**
 * Computes digests of files in a thread, so that the receiving thread has more time.
 *
 * The worker writes and hashes large pieces. It reads small pieces back, just behind the writer: reading fresh data
 * costs little.
 */
class HashWorker {
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #files = new Map<number, (hash: string | undefined) => void>();
  /** Callers that wait for bytes of a file to be written, in order. */
  readonly #writes = new Map<number, ((outcome: WriteOutcome) => void)[]>();
  #last = 0;
  /** Replies that a caller waits for. */
  #awaited = 0;

  /** Files that the worker has open. */
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

  /** Keeps the process alive while a caller waits: it could end in the middle of a push otherwise. */
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
    // An idle worker must not keep the process alive. This comes after the listeners, which undo it.
    worker.unref();
    return worker;
  }

  /** The worker has ended. Its users read the files themselves. */
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

/** A file that a hash worker writes, or reads just behind the writer. */
export class HashedFile implements StageDigest {
  readonly #algorithm: string;
  readonly #channel: HashChannel;
  #reported = 0;
  /** True once the worker has written bytes of this file. */
  #hasWritten = false;
  /** The outcome of the last write, if no caller has waited for it. */
  #last: Promise<WriteOutcome> | undefined;
  /** Two slots: the worker may still hash one while the other is filled. */
  #slots: { next: Uint8Array; last: Uint8Array } | undefined;

  constructor(algorithm: string, channel: HashChannel) {
    this.#algorithm = algorithm;
    this.#channel = channel;
  }

  /** Notes that the file has this many bytes. */
  grew(size: number): void {
    if (size < this.#reported + step) return;
    this.#reported = size;
    this.#channel.post({ do: 'read', size });
  }

  /**
   * Lets the worker write bytes, one call after another. For shared memory, the call may resolve before the last
   * bytes are written, so that the worker never waits for more: {@link settled} waits for them, and the next call
   * reports their failure.
   *
   * @param bytes shared memory must not change until two more calls have ended: the worker hashes it after writing
   * @returns the number of bytes written; less than all if the worker has ended
   * @throws the error of the system
   */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    let at = 0;
    const isShared = bytes.buffer instanceof SharedArrayBuffer;
    while (at < bytes.length) {
      const part = bytes.subarray(at, at + (isShared ? largestShared : slotSize));
      // Only the first write shows whether the worker is alive.
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

  /** Resolves when all bytes are written. */
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

  /** The digest of the file; undefined if the worker could not compute it. Rejects as {@link settled} does. */
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
  if (outcome === 'not') throw new Error('the thread that writes the upload has ended: try again');
  if (outcome !== 'all') throw Object.assign(new Error(outcome.message), outcome);
}

function newSlot(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(slotSize));
}

/** The process's hash workers: one per file, but no more than cores, nor than {@link mostWorkers}. */
class HashWorkers {
  readonly #workers: HashWorker[] = [];
  readonly #most = Math.min(availableParallelism(), mostWorkers);

  /** @returns undefined if the workers have too many files, or do not know the algorithm */
  follow(path: string, algorithm: string): HashedFile | undefined {
    const count = this.#workers.reduce((sum, { fileCount }) => sum + fileCount, 0);
    // Other algorithms come from the user's own code, which the worker does not have.
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

/** The hash workers of this process. */
export const hashWorkers: HashWorkers = new HashWorkers();
