// Keeps unfinished transfers in a directory, so that a later process can resume them.
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { PartialContent, TransferStore } from '../../../http/client/index.ts';

import { TransferLock } from './transfer-lock.ts';

/** Options of {@link openTransfers}. */
export interface TransfersOptions {
  /**
   * Milliseconds. Transfers that were not resumed within this time are removed when the first transfer begins. Default:
   * 604,800,000 (7 days).
   */
  keep?: number | undefined;
}

const week = 7 * 24 * 60 * 60 * 1000;

/**
 * Keeps unfinished transfers in a directory, so that another process can resume them. Several processes may share the
 * directory: while one holds a transfer, the others transfer the same content without it. A finished transfer leaves no
 * files.
 *
 * @param directory is created if it is missing. A program that can read the directory sees the content. A program
 * that can write to it can damage a transfer, but the damage is detected, as all content is verified.
 *
 *
 * @example
 * const client = createClient({ host: 'registry.example.com', transfers: openTransfers('/var/cache/pulls') });
 */
export function openTransfers(directory: string, { keep = week }: TransfersOptions = {}): TransferStore {
  let prepared: Promise<void> | undefined;
  const prepare = (): Promise<void> =>
    (prepared ??= prepareDirectory(directory, keep).catch((error: unknown) => {
      prepared = undefined;
      throw error;
    }));
  const pathOf = (key: string, kind: FileKind): string =>
    join(directory, `${createHash('sha256').update(key).digest('hex')}.${kind}`);
  return {
    async note(key) {
      const text = await readIfThere(pathOf(key, 'note'));
      return text === undefined ? undefined : valueIn(text, key);
    },
    async setNote(key, value) {
      const path = pathOf(key, 'note');
      if (value === undefined) {
        await rm(path, { force: true });
        return;
      }
      await prepare();
      const temporary = `${path}.${randomUUID()}`;
      try {
        // The URL of an upload may be as secret as a password, if the registry signs it: only the owner may read it.
        const handle = await open(temporary, 'wx', 0o600);
        try {
          await handle.writeFile(JSON.stringify({ key, value }));
        } finally {
          await handle.close();
        }
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
    },
    async openPartial(key) {
      await prepare();
      const lock = await TransferLock.acquire(pathOf(key, 'lock'));
      if (lock === undefined) return undefined;
      try {
        return await PartialFile.open(pathOf(key, 'part'), lock);
      } catch (error) {
        await lock.release();
        throw error;
      }
    },
  };
}

/** The files of a transfer. Their names are the hash of the transfer's key, and this. */
type FileKind = 'note' | 'part' | 'lock';
const ownName = /^[0-9a-f]{64}\.(?:note|part|lock)(?:\.[0-9a-f-]{36})?$/;

async function prepareDirectory(directory: string, keep: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) {
    if (!ownName.test(name)) continue;
    const path = join(directory, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined && Date.now() - found.mtimeMs > keep) await rm(path, { force: true });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Undefined if the note is incomplete, as after a power failure. */
function valueIn(text: string, key: string): string | undefined {
  try {
    const note = JSON.parse(text) as { key?: unknown; value?: unknown } | null;
    return note?.key === key && typeof note.value === 'string' ? note.value : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes that are read at a time. */
const pieceSize = 1024 * 1024;

/**
 * A file that grows as content arrives. If its writer was killed, the end is missing and is fetched again. If the
 * machine crashed, the end may be wrong; the reader finds out, as it verifies the whole content.
 */
class PartialFile implements PartialContent {
  readonly #path: string;
  readonly #lock: TransferLock;
  readonly #handle: FileHandle;
  #size: number;
  #isClosed = false;

  private constructor(path: string, lock: TransferLock, handle: FileHandle, size: number) {
    this.#path = path;
    this.#lock = lock;
    this.#handle = handle;
    this.#size = size;
  }

  static async open(path: string, lock: TransferLock): Promise<PartialFile> {
    const handle = await open(path, 'a+', 0o600);
    try {
      const { size } = await handle.stat();
      return new PartialFile(path, lock, handle, size);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get size(): number {
    return this.#size;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    const { size } = this;
    for (let at = 0; at < size;) {
      const buffer = new Uint8Array(Math.min(pieceSize, size - at));
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) {
        throw new Error(`${this.#path} became shorter while it was read: another program changed it`);
      }
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, at);
      at += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  close(): Promise<void> {
    return this.#end(this.#size === 0);
  }

  remove(): Promise<void> {
    return this.#end(true);
  }

  async #end(unwanted: boolean): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.#handle.close();
      if (unwanted) await rm(this.#path, { force: true });
    } finally {
      await this.#lock.release();
    }
  }
}
