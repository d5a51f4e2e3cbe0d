import { createContent, mediaTypes, RegistryError } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import type { BlobStore } from './blob-store.ts';
import { MemoryStage } from './memory-stage.ts';

/** Keeps blobs in memory, each once however many repositories have it. */
export function memoryBlobs(): BlobStore {
  const blobs = new Map<Digest, { pieces: readonly Uint8Array[]; size: number }>();
  const find = (digest: Digest): { pieces: readonly Uint8Array[]; size: number } => {
    const blob = blobs.get(digest);
    if (blob === undefined) throw new RegistryError('BLOB_UNKNOWN', `${digest} is not known`, { detail: { digest } });
    return blob;
  };
  const stage = (): MemoryStage =>
    new MemoryStage((_repository, digest, pieces) => {
      blobs.set(digest, { pieces, size: pieces.reduce((sum, piece) => sum + piece.length, 0) });
    });
  return {
    async get(_repository, digest, { range, signal }) {
      const { pieces, size } = find(digest);
      const descriptor = { mediaType: mediaTypes.octetStream, digest, size };
      return createContent({ descriptor, range, signal, source: { pieces } });
    },
    async stat(_repository, digest) {
      return { size: find(digest).size };
    },
    async put(repository, { digest }, content) {
      const staged = stage();
      for await (const bytes of content) await staged.append(bytes);
      await staged.keep(repository, digest);
    },
    async delete(_repository, digest) {
      find(digest);
      blobs.delete(digest);
    },
    stage,
  };
}
