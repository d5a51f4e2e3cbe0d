// A list that is kept in a file, which several processes may read and change.
import { isMissing, readRegular } from '../../stores/disk/index.ts';

import { FileLock } from './file-lock.ts';
import { replaceFile } from './replace-file.ts';

/** A list in a file. */
export interface ListFile<Item> {
  /** Reads the list. */
  read(): Promise<readonly Item[]>;
  /** Replaces the list by what `change` makes of it, while no other process changes it. */
  update(change: (items: readonly Item[]) => readonly Item[]): Promise<void>;
}

/**
 * Keeps a list in a file, which is made with the mode 0600. A missing file is an empty list.
 *
 * @param text the list as text, and back
 */
export function listFile<Item>(
  path: string,
  text: { format: (items: readonly Item[]) => string; parse: (text: string) => readonly Item[] },
): ListFile<Item> {
  return {
    read: () => read(path, text.parse),
    async update(change) {
      const lock = await FileLock.acquire(`${path}.lock`);
      try {
        const before = await read(path, text.parse);
        const after = change(before);
        if (after !== before) await replaceFile(path, text.format(after));
      } finally {
        await lock.release();
      }
    },
  };
}

async function read<Item>(path: string, parse: (text: string) => readonly Item[]): Promise<readonly Item[]> {
  let text: string;
  try {
    text = (await readRegular(path)).toString();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  try {
    return parse(text);
  } catch (cause) {
    throw new Error(`${path} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
