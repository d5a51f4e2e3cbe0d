import { Worker } from 'node:worker_threads';
import type * as Crypto from 'node:crypto';
import type * as Fs from 'node:fs';
import type * as WorkerThreads from 'node:worker_threads';

import { digestAlgorithm } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import type { StageDigest } from '../blobs/index.ts';

/** What the worker is told of one file, in this order. */
type Message =
  | { id: number; do: 'open'; path: string; algorithm: string }
  /** Bytes in memory that both threads have, to be written and hashed. */
  | { id: number; do: 'write'; bytes: Uint8Array; position: number }
  /** So many bytes are there. */
  | { id: number; do: 'read'; size: number }
  | { id: number; do: 'digest'; size: number }
  | { id: number; do: 'close' };

type Answer =
  /** Hexadecimal; undefined if the file could not be read. */
  { id: number; hash: string | undefined } | { id: number; written: WriteOutcome };

/** What became of bytes that were to be written; `not` if there is nobody, or no file, to write them. */
type WriteOutcome = 'all' | 'not' | WriteFailure;

/** Of an error of the system's, a message to another thread would lose all but the text. */
interface WriteFailure {
  message: string;
  code: string | undefined;
  errno: number | undefined;
  syscall: string | undefined;
}

/** Milliseconds after which a worker that has nothing to do is ended. */
const idle = 300;
const mostFiles = 64;
/** Bytes after which the worker is told that there are more. */
const step = 1024 * 1024;
/** Bytes that are given to the worker at a time. */
const slotSize = 1024 * 1024;

/**
 * Computes digests of files in a thread of its own, so that the one that receives them has that much more time for receiving.
 * Large pieces it is given, writes and hashes. Small ones it reads just behind whoever writes them: what was just written costs
 * little to read.
 */
class HashWorker {
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #files = new Map<number, (hash: string | undefined) => void>();
  /** Who waits for bytes to be written: one for each file. */
  readonly #writes = new Map<number, (outcome: WriteOutcome) => void>();
  #last = 0;
  /** Answers that somebody waits for. */
  #awaited = 0;

  /** @returns undefined if there are too many already */
  follow(path: string, algorithm: string): FollowedFile | undefined {
    // Another algorithm is its own library's, which the worker does not have.
    if (this.#files.size >= mostFiles || !['sha256', 'sha512'].includes(algorithm)) return undefined;
    this.#worker ??= this.#start();
    clearTimeout(this.#timer);
    const id = ++this.#last;
    this.#files.set(id, () => undefined);
    const file = new FollowedFile(algorithm, {
      tell: (message) => this.#worker?.postMessage({ id, ...message }),
      answer: () => this.#answerOf(id),
      write: (bytes, position) => this.#write(id, bytes, position),
      end: () => this.#end(id),
    });
    this.#worker.postMessage({ id, do: 'open', path, algorithm } satisfies Message);
    return file;
  }

  /** The process waits for this, even if it has nothing else to do: it would end in the middle of a push. */
  async #answerOf(id: number): Promise<string | undefined> {
    if (!this.#files.has(id)) return undefined;
    return this.#whileAwaited(new Promise((resolve) => this.#files.set(id, resolve)));
  }

  async #write(id: number, bytes: Uint8Array, position: number): Promise<WriteOutcome> {
    const worker = this.#worker;
    if (!this.#files.has(id) || worker === undefined) return 'not';
    const written = new Promise<WriteOutcome>((resolve) => this.#writes.set(id, resolve));
    worker.postMessage({ id, do: 'write', bytes, position } satisfies Message);
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

  #receive(answer: Answer): void {
    if ('hash' in answer) {
      this.#files.get(answer.id)?.(answer.hash);
      return;
    }
    const settle = this.#writes.get(answer.id);
    this.#writes.delete(answer.id);
    settle?.(answer.written);
  }

  #start(): Worker {
    const worker = new Worker(`(${workerMain.toString()})(require)`, { eval: true });
    worker.on('message', (answer: Answer) => this.#receive(answer));
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
    for (const settle of this.#writes.values()) settle('not');
    this.#writes.clear();
  }

  #end(id: number): void {
    const answer = this.#files.get(id);
    if (!this.#files.delete(id)) return;
    answer?.(undefined);
    this.#worker?.postMessage({ id, do: 'close' } satisfies Message);
    if (this.#files.size > 0) return;
    this.#timer = setTimeout(() => {
      const worker = this.#worker;
      this.#worker = undefined;
      void worker?.terminate();
    }, idle);
    this.#timer.unref();
  }
}

interface Line {
  tell: (message: { do: 'read' | 'digest'; size: number }) => void;
  answer: () => Promise<string | undefined>;
  write: (bytes: Uint8Array, position: number) => Promise<WriteOutcome>;
  end: () => void;
}

/** A file that is written, and read behind the writing. */
export class FollowedFile implements StageDigest {
  readonly #algorithm: string;
  readonly #line: Line;
  #told = 0;
  /** Two, as the worker still hashes one when the other one is filled. */
  #slots: { next: Uint8Array; last: Uint8Array } | undefined;

  constructor(algorithm: string, line: Line) {
    this.#algorithm = algorithm;
    this.#line = line;
  }

  /** So many bytes are written. */
  grew(size: number): void {
    if (size < this.#told + step) return;
    this.#told = size;
    this.#line.tell({ do: 'read', size });
  }

  /**
   * Has bytes written, one call after another.
   *
   * @param bytes if they are in memory that both threads have, they must not change before the call after this one has ended: they are
   * hashed after they have been written
   * @returns how many of them were; fewer than all if nobody is there to do it
   * @throws what the system says
   */
  async write(bytes: Uint8Array, position: number): Promise<number> {
    let at = 0;
    while (at < bytes.length) {
      const part = bytes.subarray(at, at + slotSize);
      const outcome = await this.#line.write(this.#shared(part), position + at);
      if (outcome === 'not') break;
      if (outcome !== 'all') throw Object.assign(new Error(outcome.message), outcome);
      at += part.length;
      this.#told = Math.max(this.#told, position + at);
    }
    return at;
  }

  #shared(part: Uint8Array): Uint8Array {
    if (part.buffer instanceof SharedArrayBuffer) return part;
    this.#slots ??= { next: newSlot(), last: newSlot() };
    const { next, last } = this.#slots;
    this.#slots = { next: last, last: next };
    next.set(part);
    return next.subarray(0, part.length);
  }

  async digest(size: number): Promise<Digest | undefined> {
    const answer = this.#line.answer();
    this.#line.tell({ do: 'digest', size });
    const hash = await answer;
    const isWhole = hash?.length === digestAlgorithm(this.#algorithm).size * 2;
    return isWhole ? `${this.#algorithm}:${hash}` : undefined;
  }

  close(): void {
    this.#line.end();
  }
}

function newSlot(): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(slotSize));
}

/** Runs in the worker, so it has nothing but what it is given. */
function workerMain(load: (name: string) => unknown): void {
  const { createHash } = load('node:crypto') as typeof Crypto;
  const { closeSync, openSync, readSync, writeSync } = load('node:fs') as typeof Fs;
  const { parentPort: port } = load('node:worker_threads') as typeof WorkerThreads;
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  // Linux takes memory for its page cache in blocks as large as the write. Large blocks are those that a virtual machine has
  // given back to its host, and to get them again takes far longer than the copying.
  const writeStep = 32 * 1024;
  const files = new Map<number, { file: number; hash: Crypto.Hash; at: number; hasFailed: boolean }>();

  const readTo = (id: number, size: number): void => {
    const followed = files.get(id);
    if (followed === undefined || followed.hasFailed) return;
    try {
      while (followed.at < size) {
        const count = readSync(followed.file, buffer, 0, Math.min(buffer.length, size - followed.at), followed.at);
        if (count === 0) throw new Error('the file is shorter than was said');
        followed.hash.update(buffer.subarray(0, count));
        followed.at += count;
      }
    } catch {
      followed.hasFailed = true;
    }
  };

  const writeAll = (file: number, bytes: Uint8Array, position: number): WriteOutcome => {
    try {
      for (let at = 0; at < bytes.length;) {
        at += writeSync(file, bytes, at, Math.min(writeStep, bytes.length - at), position + at);
      }
      return 'all';
    } catch (error) {
      const { message, code, errno, syscall } = error as NodeJS.ErrnoException;
      return { message, code, errno, syscall };
    }
  };

  const write = (id: number, bytes: Uint8Array, position: number): void => {
    const followed = files.get(id);
    const written = followed === undefined ? 'not' : writeAll(followed.file, bytes, position);
    // More can come while this is hashed.
    port?.postMessage({ id, written } satisfies Answer);
    if (followed === undefined || written !== 'all') return;
    readTo(id, position);
    if (followed.hasFailed || followed.at !== position) return;
    followed.hash.update(bytes);
    followed.at += bytes.length;
  };

  const close = (id: number): void => {
    const followed = files.get(id);
    files.delete(id);
    if (followed !== undefined) closeSync(followed.file);
  };

  port?.on('message', (message: Message) => {
    const { id } = message;
    if (message.do === 'open') {
      try {
        const { path, algorithm } = message;
        files.set(id, { file: openSync(path, 'r+'), hash: createHash(algorithm), at: 0, hasFailed: false });
      } catch {
        // Whoever asks for the digest is told that there is none.
      }
    } else if (message.do === 'close') {
      close(id);
    } else if (message.do === 'write') {
      write(id, message.bytes, message.position);
    } else {
      readTo(id, message.size);
      if (message.do === 'read') return;
      const followed = files.get(id);
      const isWhole = followed !== undefined && !followed.hasFailed && followed.at === message.size;
      // More may be appended, so its state goes on.
      const hash = isWhole ? followed.hash.copy().digest('hex') : undefined;
      port.postMessage({ id, hash } satisfies Answer);
    }
  });
}

/** One for the process: as much as one core can hash is more than comes. */
export const hashWorker: HashWorker = new HashWorker();
