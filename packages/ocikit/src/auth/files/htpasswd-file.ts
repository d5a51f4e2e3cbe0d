// Users of an htpasswd file that may change, and the change of such a file.
import { isMissing, readRegular } from '../../stores/disk/index.ts';
import { htpasswd } from '../passwords/index.ts';
import type { HtpasswdOptions, Users } from '../passwords/index.ts';

import { FileLock } from './file-lock.ts';
import { replaceFile } from './replace-file.ts';
import { watchFile } from './watched-file.ts';
import type { WatchFileOptions } from './watched-file.ts';

/** Options of {@link htpasswdFile}. */
export interface HtpasswdFileOptions extends Omit<WatchFileOptions<Users>, 'onChange'>, HtpasswdOptions {}

/** Users of a watched file. */
export interface FileUsers extends Users {
  /** Reads the file now. False: it cannot be used, and the users stay as they were. */
  reload(): Promise<boolean>;
  /** Ends the watch. The users stay as they are. */
  close(): void;
}

/**
 * Makes users of an htpasswd file. Its changes apply within a second. A faulty change is reported, and does not apply.
 *
 * @example
 * const users = await htpasswdFile('users', { onError: (error) => console.error(error.message) });
 * process.on('SIGHUP', () => void users.reload());
 * const guarded = guardLogins(users);
 * @throws HtpasswdError if the file is faulty from the beginning
 */
export async function htpasswdFile(path: string, options: HtpasswdFileOptions = {}): Promise<FileUsers> {
  const listeners = new Set<() => void>();
  const file = await watchFile(path, (text) => htpasswd(text, options), {
    ...options,
    onChange: () => {
      for (const listener of listeners) listener();
    },
  });
  return {
    check: (user, password, origin) => file.value.check(user, password, origin),
    find: async (user) => (await file.value.find?.(user)) ?? [],
    onChange: (listener) => void listeners.add(listener),
    reload: () => file.reload(),
    close: () => file.close(),
  };
}

/**
 * Changes an htpasswd file in one step. A lock beside it (`PATH.lock`) keeps other changes out meanwhile. A missing
 * file is made with the mode 0600; one that exists keeps its mode.
 *
 * @example
 * const hash = await hashPassword('secret');
 * await editHtpasswdFile('users', (text) => setHtpasswdUser(text, 'alice', hash));
 * @param edit makes the new text of the old one, which is empty for a missing file
 */
export async function editHtpasswdFile(path: string, edit: (text: string) => string): Promise<void> {
  const lock = await FileLock.acquire(`${path}.lock`);
  try {
    const text = await readRegular(path).catch((error: unknown) => {
      if (isMissing(error)) return '';
      throw error;
    });
    await replaceFile(path, edit(text.toString()));
  } finally {
    await lock.release();
  }
}
