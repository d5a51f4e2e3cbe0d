import {
  assertRepository,
  digestOf,
  Digester,
  isRegistryError,
  mediaTypes,
  parseDigest,
  splitDigest,
} from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance } from '../../model/index.ts';

import { Leases, page } from '../repository/index.ts';
import type { UploadSessions } from '../uploads/index.ts';

import { removeBlobLink, removeManifest } from './deleter.ts';
import type { MemoryRepository, MemoryState } from './state.ts';

export function memoryMaintenance(state: MemoryState, uploads: UploadSessions): Maintenance {
  const leases = new Leases();

  return {
    async *manifests(repository, options = {}) {
      const { index } = open(state, repository, options);
      for (const digest of page(index.manifests.keys(), options)) {
        const entry = index.manifests.get(digest);
        if (entry === undefined) continue;
        const { descriptor, tags, createdAt, usedAt } = entry;
        yield { descriptor, tags: [...tags].toSorted(), size: descriptor.size, ...dates({ createdAt, usedAt }) };
      }
    },
    async *blobs(repository, options = {}) {
      const { index } = open(state, repository, options);
      for (const digest of page(index.blobs.keys(), options)) {
        const entry = index.blobs.get(digest);
        if (entry === undefined) continue;
        const { size } = entry;
        yield { descriptor: { mediaType: mediaTypes.octetStream, digest, size }, size, ...dates(entry) };
      }
    },
    async *uploads(repository, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      const found = [...uploads.sessions].filter((session) => session.repository === repository);
      const byId = new Map(found.map((session) => [session.id, session]));
      for (const id of page(byId.keys(), options)) {
        const session = byId.get(id);
        if (session !== undefined) yield { id, size: session.bytes.size, ...dates(session) };
      }
    },
    async verify(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      const known = state.repositories.get(repository);
      const manifest = known?.manifestBytes.get(digest);
      const { algorithm } = splitDigest(digest);
      if (manifest !== undefined) return digestOf(manifest, algorithm) === digest ? 'ok' : 'corrupt';
      const entry = known?.index.blobs.get(digest);
      if (entry === undefined) return 'missing';
      try {
        const home = state.owners.home(digest, repository);
        const content = await state.blobs.get(home, digest, { signal: options.signal });
        const digester = new Digester(algorithm);
        for await (const piece of content) digester.update(piece);
        return digester.digest() === digest && digester.size === entry.size ? 'ok' : 'corrupt';
      } catch (error) {
        if (isRegistryError(error, 'BLOB_UNKNOWN')) return 'missing';
        if (isRegistryError(error, 'SIZE_INVALID')) return 'corrupt';
        throw error;
      }
    },
    async removeUnused(repository, digest, { unusedSince }) {
      assertRepository(repository);
      parseDigest(digest);
      const index = state.repositories.get(repository)?.index;
      if (index === undefined || leases.has(repository, digest)) return false;
      const unused = (entry: { usedAt: number } | undefined): boolean =>
        entry !== undefined && entry.usedAt < unusedSince.getTime();
      const manifest = index.manifests.get(digest);
      const removesManifest = unused(manifest) && manifest?.tags.size === 0;
      const removesBlob = unused(index.blobs.get(digest)) && state.blobs.delete !== undefined;
      if (removesManifest) removeManifest(state, repository, digest);
      if (removesBlob) {
        removeBlobLink(state, repository, digest);
        await state.owners.remove(digest, repository);
      }
      return removesManifest || removesBlob;
    },
    async lease(repository, digests) {
      assertRepository(repository);
      return leases.take(repository, digests);
    },
    async usage() {
      const manifests = new Map<Digest, number>();
      const blobs = new Map<Digest, number>();
      for (const { index } of state.repositories.values()) {
        for (const [digest, { descriptor }] of index.manifests) manifests.set(digest, descriptor.size);
        for (const [digest, { size }] of index.blobs) blobs.set(digest, size);
      }
      const sessions = [...uploads.sessions].map(({ bytes }) => bytes.size);
      return {
        repositories: state.repositories.size,
        manifests: manifests.size,
        blobs: blobs.size,
        uploads: sessions.length,
        size: [...manifests.values(), ...blobs.values(), ...sessions].reduce((sum, size) => sum + size, 0),
      };
    },
  };
}

function open(state: MemoryState, repository: string, { signal }: ListOptions): MemoryRepository {
  signal?.throwIfAborted();
  assertRepository(repository);
  return state.repository(repository);
}

function dates(entry: { createdAt: number; usedAt: number }): { createdAt: Date; usedAt: Date } {
  return { createdAt: new Date(entry.createdAt), usedAt: new Date(entry.usedAt) };
}
