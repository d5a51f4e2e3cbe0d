// The code of the hash worker. It is sent to the worker as text, so it uses nothing from outside its function.
import type * as Crypto from 'node:crypto';
import type * as Fs from 'node:fs';
import type * as WorkerThreads from 'node:worker_threads';

/** Messages to the worker about one file, in this order. */
export type HashRequest =
  | { id: number; do: 'open'; path: string; algorithm: string }
  /** Bytes in shared memory, to be written and hashed. */
  | { id: number; do: 'write'; bytes: Uint8Array; position: number }
  /** The file has this many bytes now. */
  | { id: number; do: 'read'; size: number }
  | { id: number; do: 'digest'; size: number }
  | { id: number; do: 'close' };

/** Messages from the worker. */
export type HashReply =
  /** Hexadecimal; undefined if the file could not be read. */
  { id: number; hash: string | undefined } | { id: number; written: WriteOutcome };

/** The result of a write; `not` if the worker has ended or the file is not open. */
export type WriteOutcome = 'all' | 'not' | WriteFailure;

/** The fields of a system error: a message to another thread would lose all but the text. */
interface WriteFailure {
  message: string;
  code: string | undefined;
  errno: number | undefined;
  syscall: string | undefined;
}

/** Runs in the worker, with nothing but its argument. */
export function hashThread(load: (name: string) => unknown): void {
  const { createHash } = load('node:crypto') as typeof Crypto;
  const { closeSync, openSync, readSync, writeSync } = load('node:fs') as typeof Fs;
  const { parentPort: port } = load('node:worker_threads') as typeof WorkerThreads;
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  // Linux allocates page cache in blocks as large as the write. Large blocks are often memory that a virtual machine
  // has given back to its host, and getting it again takes far longer than the copy.
  const writeStep = 32 * 1024;
  const files = new Map<number, { file: number; hash: Crypto.Hash; at: number; hasFailed: boolean }>();

  const readTo = (id: number, size: number): void => {
    const followed = files.get(id);
    if (followed === undefined || followed.hasFailed) return;
    try {
      while (followed.at < size) {
        const count = readSync(followed.file, buffer, 0, Math.min(buffer.length, size - followed.at), followed.at);
        if (count === 0) throw new Error('the file is shorter than announced');
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
    // Reply before hashing, so that the next bytes can come.
    port?.postMessage({ id, written } satisfies HashReply);
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

  port?.on('message', (message: HashRequest) => {
    const { id } = message;
    if (message.do === 'open') {
      try {
        const { path, algorithm } = message;
        files.set(id, { file: openSync(path, 'r+'), hash: createHash(algorithm), at: 0, hasFailed: false });
      } catch {
        // The digest will be undefined.
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
      // A copy, as more may be appended to this hash.
      const hash = isWhole ? followed.hash.copy().digest('hex') : undefined;
      port.postMessage({ id, hash } satisfies HashReply);
    }
  });
}
