// The place where a collection stopped, in a small file of the private directory.
import { rm } from 'node:fs/promises';

import type { Bookmark } from '../../../model/index.ts';

import { noFollow, readRegularNow, sizeOfFile } from '../files/index.ts';
import type { LayoutStore } from '../root/index.ts';

/** Bytes. The name of a repository has at most 255. */
const longest = 1024;

/**
 * A bookmark in the store's private directory. It is replaced as a whole and not synced: after a loss of power, an old
 * one or none does no harm. Only the process that writes to the store writes it.
 */
export function collectionBookmark(store: LayoutStore): Bookmark {
  const { files, warn } = store;
  const { collection: path } = store.private;
  return {
    async read() {
      try {
        const size = sizeOfFile(path);
        return size === undefined || size > longest ? undefined : readRegularNow(path, noFollow).toString();
      } catch (error) {
        warn('the place of the last collection cannot be read: the next one begins at the start', {
          file: path,
          error,
        });
        return undefined;
      }
    },
    async write(text) {
      if (!store.isWriter) return;
      try {
        store.assertOwned();
        if (text === undefined) {
          await rm(path, { force: true });
          return;
        }
        const temporary = store.private.temporaryPath();
        await files.writeSmall(temporary, [Buffer.from(text)], 'hidden');
        files.moveNow(temporary, path);
      } catch (error) {
        warn('the place of a collection cannot be kept: if it is killed, the next one begins at the start', {
          file: path,
          error,
        });
      }
    },
  };
}
