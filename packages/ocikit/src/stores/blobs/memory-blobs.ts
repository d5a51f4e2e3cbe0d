// A blob store in memory.
import { blobDescriptor, blobUnknown, createContent, createPartsContent } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import type { BlobStore } from './blob-store.ts';
import { MemoryStage } from './memory-stage.ts';

/**
 * Creates a blob store in memory. It keeps a blob once, however many repositories have it.
 *
 * @example
 * const registry = createMemoryRegistry({ blobs: memoryBlobs() });
 */
export function memoryBlobs(): BlobStore {
  const blobs = new Map<Digest, { pieces: readonly Uint8Array[]; size: number }>();
  const find = (repository: string, digest: Digest): { pieces: readonly Uint8Array[]; size: number } => {
    const blob = blobs.get(digest);
    if (blob === undefined) throw blobUnknown(repository, digest);
    return blob;
  };
  const stage = (): MemoryStage =>
    new MemoryStage((_repository, digest, pieces) => {
      blobs.set(digest, { pieces, size: pieces.reduce((sum, piece) => sum + piece.length, 0) });
    });
  return {
    async get(repository, digest, { range, ranges, signal }) {
      const { pieces, size } = find(repository, digest);
      const blob = { descriptor: blobDescriptor(digest, size), signal, source: { pieces } };
      return ranges === undefined ? createContent({ ...blob, range }) : createPartsContent({ ...blob, ranges });
    },
    async stat(repository, digest) {
      return { size: find(repository, digest).size };
    },
    async put(repository, { digest }, content) {
      const staged = stage();
      for await (const bytes of content) await staged.append(bytes);
      await staged.keep(repository, digest);
    },
    async delete(repository, digest) {
      find(repository, digest);
      blobs.delete(digest);
    },
    stage,
  };
}
