// Reading a whole file while comparing it with its digest, unless it is known to have the right bytes.
import { fstatSync, lstatSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

import { Digester, digestOf, splitDigest, wrongDigest } from '../../model/index.ts';
import type { ByteReader, ContentSource, Digest } from '../../model/index.ts';

import { fileReader } from './file-reader.ts';
import { isSameFile } from './verified-files.ts';
import type { FileIdentity, VerifiedFiles } from './verified-files.ts';

/** The file that is read. */
export interface FileToVerify {
  /** Its path, by which it is remembered. */
  path: string;
  /** The digest that its bytes must have. */
  digest: Digest;
  /** Its size in bytes. */
  size: number;
  /** The files that need not be hashed again. */
  known: VerifiedFiles;
  /** Called if it has other bytes, with the file as it was before and after it was read. */
  onDamage?: ((identity: FileIdentity) => void) | undefined;
}

/**
 * Reads an open file from its start to its end. If its bytes are wrong, reading rejects with DIGEST_INVALID before it
 * gives the last ones: an HTTP client that has received every byte would not notice a later error.
 */
export function verifyingFileReader(handle: FileHandle, file: FileToVerify): ByteReader {
  const { path, digest, size, known, onDamage } = file;
  const before = fstatSync(handle.fd);
  if (known.isIntact(path, before)) return fileReader(handle, 0);
  const digester = new Digester(splitDigest(digest).algorithm);
  let position = 0;
  return {
    async readInto(buffer) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position);
      if (bytesRead === 0) return 0;
      digester.update(buffer.subarray(0, bytesRead));
      position += bytesRead;
      if (position < size) return bytesRead;
      const found = digester.digest();
      const isUnchanged = isSameFile(before, fstatSync(handle.fd));
      if (isUnchanged) known.note(path, before, found === digest);
      if (found === digest) return bytesRead;
      if (isUnchanged) onDamage?.(before);
      throw wrongDigest(digest, found);
    },
    close: () => handle.close(),
  };
}

/**
 * The content of a whole file, compared with its digest while it is read.
 *
 * @param open opens the file
 */
export function verifiedSource(file: FileToVerify, open: () => Promise<FileHandle>): ContentSource {
  if (file.size > 0) return { open: async () => verifyingFileReader(await open(), file) };
  // An empty blob is never read, so check its digest now.
  return { iterate: () => ({ [Symbol.asyncIterator]: () => ({ next: async () => verifiedEnd(file) }) }) };
}

function verifiedEnd({ path, digest, onDamage }: FileToVerify): IteratorReturnResult<undefined> {
  const found = digestOf(new Uint8Array(), splitDigest(digest).algorithm);
  if (found === digest) return { done: true, value: undefined };
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats?.size === 0) onDamage?.(stats);
  throw wrongDigest(digest, found);
}
