// Replacing a file in one step, so that readers and crashes find the old or the new content.
import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import { open, realpath, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import { statsOf } from '../../stores/disk/index.ts';

/** The mode of a new file: its owner alone may read it. */
const ownOnly = 0o600;

/**
 * Replaces the text of a file, or makes the file. A symbolic link stays, and so do the mode and, as far as this process
 * may set it, the owner: if root changes the file, its server must still be able to read it.
 */
export async function replaceFile(link: string, text: string): Promise<void> {
  const path = await realpath(link).catch(() => link);
  const before = statsOf(path, statSync);
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', ownOnly);
    try {
      await handle.writeFile(text);
      if (before !== undefined) {
        if (process.getuid?.() === 0) await handle.chown(before.uid, before.gid);
        await handle.chmod(before.mode & 0o777);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
