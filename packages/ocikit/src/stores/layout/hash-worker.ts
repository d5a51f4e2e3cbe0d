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
  /** So many bytes are there. */
  | { id: number; do: 'read'; size: number }
  | { id: number; do: 'digest'; size: number }
  | { id: number; do: 'close' };

interface Answer {
  id: number;
  /** Hexadecimal; undefined if the file could not be read. */
  hash: string | undefined;
}

/** Milliseconds after which a worker that has nothing to do is ended. */
const idle = 300;
const mostFiles = 64;
/** Bytes after which the worker is told that there are more. */
const step = 1024 * 1024;

/**
 * Computes digests of files in a thread of its own, by reading each just behind whoever writes it: what was just written
 * costs little to read, and the thread that receives it has that much more time for receiving.
 */
class HashWorker {
  #worker: Worker | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #files = new Map<number, (hash: string | undefined) => void>();
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
      end: () => this.#end(id),
    });
    this.#worker.postMessage({ id, do: 'open', path, algorithm } satisfies Message);
    return file;
  }

  /** The process waits for this, even if it has nothing else to do: it would end in the middle of a push. */
  async #answerOf(id: number): Promise<string | undefined> {
    if (!this.#files.has(id)) return undefined;
    this.#awaited += 1;
    this.#worker?.ref();
    const hash = await new Promise<string | undefined>((resolve) => this.#files.set(id, resolve));
    this.#awaited -= 1;
    if (this.#awaited === 0) this.#worker?.unref();
    return hash;
  }

  #start(): Worker {
    const worker = new Worker(`(${workerMain.toString()})(require)`, { eval: true });
    worker.on('message', ({ id, hash }: Answer) => this.#files.get(id)?.(hash));
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
  end: () => void;
}

/** A file that is written, and read behind the writing. */
export class FollowedFile implements StageDigest {
  readonly #algorithm: string;
  readonly #line: Line;
  #told = 0;

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

/** Runs in the worker, so it has nothing but what it is given. */
function workerMain(load: (name: string) => unknown): void {
  const { createHash } = load('node:crypto') as typeof Crypto;
  const { closeSync, openSync, readSync } = load('node:fs') as typeof Fs;
  const { parentPort: port } = load('node:worker_threads') as typeof WorkerThreads;
  const buffer = Buffer.allocUnsafe(1024 * 1024);
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
        files.set(id, { file: openSync(path, 'r'), hash: createHash(algorithm), at: 0, hasFailed: false });
      } catch {
        // Whoever asks for the digest is told that there is none.
      }
    } else if (message.do === 'close') {
      close(id);
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
