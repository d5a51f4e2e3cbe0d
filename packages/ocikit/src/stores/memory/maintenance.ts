// The maintenance of the memory registry.
import {
  assertRepository,
  blobDescriptor,
  digestOf,
  Digester,
  isRegistryError,
  manifestUnknown,
  parseDigest,
  RegistryError,
  splitDigest,
} from '../../model/index.ts';
import type { Digest, ListOptions, Maintenance } from '../../model/index.ts';
import { Leases, page } from '../repository/index.ts';
import type { UploadSessions } from '../uploads/index.ts';

import { removeBlobLink, removeManifest } from './deleter.ts';
import type { MemoryRepository, MemoryState } from './state.ts';

/** The maintenance methods. */
export function memoryMaintenance(state: MemoryState, uploads: UploadSessions): Maintenance {
  const leases = new Leases();

  const verify: Maintenance['verify'] = async (repository, digest, options = {}) => {
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
      if (isRegistryError(error, 'SIZE_INVALID', 'DIGEST_INVALID')) return 'corrupt';
      throw error;
    }
  };

  const entriesOf = (digest: Digest): unknown[] =>
    state.owners.all(digest).map((name) => state.repositories.get(name)?.index.blobs.get(digest));

  return {
    async *manifests(repository, options = {}) {
      const { index } = open(state, repository, options);
      for await (const digest of page(index.manifests.keys(), options)) {
        const entry = index.manifests.get(digest);
        if (entry === undefined) continue;
        const { descriptor, tags, createdAt, usedAt } = entry;
        yield { descriptor, tags: [...tags].toSorted(), size: descriptor.size, ...dates({ createdAt, usedAt }) };
      }
    },
    async *blobs(repository, options = {}) {
      const { index } = open(state, repository, options);
      for await (const digest of page(index.blobs.keys(), options)) {
        const entry = index.blobs.get(digest);
        if (entry === undefined) continue;
        const { size } = entry;
        yield { descriptor: blobDescriptor(digest, size), size, ...dates(entry) };
      }
    },
    async *uploads(repository, options = {}) {
      options.signal?.throwIfAborted();
      if (repository !== undefined) assertRepository(repository);
      const found = [...uploads.sessions].filter(
        (session) => repository === undefined || session.repository === repository,
      );
      const byId = new Map(found.map((session) => [session.id, session]));
      for await (const id of page(byId.keys(), options)) {
        const session = byId.get(id);
        if (session === undefined) continue;
        yield { id, repository: session.repository, size: session.bytes.size, ...dates(session) };
      }
    },
    async *orphans({ signal } = {}) {
      signal?.throwIfAborted();
      for (const { digest, size, since } of state.owners.abandoned()) {
        yield { digest, size, createdAt: new Date(since), usedAt: new Date(since) };
        signal?.throwIfAborted();
      }
    },
    async readManifest(repository, digest, options = {}) {
      parseDigest(digest);
      const bytes = open(state, repository, options).manifestBytes.get(digest);
      if (bytes === undefined) throw manifestUnknown(repository, digest);
      return new Uint8Array(bytes);
    },
    verify,
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
    async removeOrphan(digest, { unusedSince }) {
      parseDigest(digest);
      return state.owners.removeAbandoned(digest, unusedSince.getTime());
    },
    async quarantine(repository, digest) {
      assertRepository(repository);
      const before = entriesOf(digest);
      if ((await verify(repository, digest)) !== 'corrupt') return false;
      const manifests = state.repositories.get(repository)?.manifestBytes;
      if (manifests?.has(digest) === true) return manifests.delete(digest);
      if (state.blobs.delete === undefined) {
        throw new RegistryError(
          'UNSUPPORTED',
          'the damaged blob cannot be removed: the blob store has no delete method',
        );
      }
      // Each push makes a new entry. If an entry has changed, the correct bytes were pushed meanwhile.
      const now = entriesOf(digest);
      if (now.length !== before.length || now.some((entry, i) => entry !== before[i])) return false;
      // All repositories share the bytes, so none of them has the blob any more.
      const owners = state.owners.all(digest);
      for (const owner of owners) removeBlobLink(state, owner, digest);
      for (const owner of owners) await state.owners.remove(digest, owner);
      return true;
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
