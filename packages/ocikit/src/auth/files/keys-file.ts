// A file of signing keys, which several processes may read and change.
import { formatKeys, parseKeys } from '../tokens/index.ts';
import type { KeyStore } from '../tokens/index.ts';

import { listFile } from './list-file.ts';

/**
 * Keeps signing keys in a file of JSON (see {@link formatKeys}) with the mode 0600. A change replaces the file in one
 * step, and a lock beside it (`PATH.lock`) keeps the changes of other processes out meanwhile. A missing file has no
 * keys.
 *
 * @example const keys = await openSigningKeys(keysFile('keys.json'));
 */
export function keysFile(path: string): KeyStore {
  return listFile(path, { format: formatKeys, parse: parseKeys });
}
