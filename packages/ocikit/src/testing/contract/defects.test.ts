import { describe, expect, test } from 'vitest';

import {
  collect,
  createContent,
  digestOf,
  history,
  historyOf,
  isRegistryError,
  maintenance,
  maintenanceOf,
  mediaTypes,
  RegistryError,
} from '../../model/index.ts';
import type { BlobUpload, Digest, History, Maintenance, Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { randomBlob, registryContract } from '../index.ts';
import type { ContractCase, ContractTraits } from '../index.ts';

/** A defect of some registry, and the group of the contract that has to notice it. */
interface Defect {
  name: string;
  noticedBy: string;
  traits?: ContractTraits;
  make: () => Registry;
}

const good = createMemoryRegistry;

function withDefect(name: string, noticedBy: string, change: (registry: Registry) => Partial<Registry>): Defect {
  const make = (): Registry => {
    const registry = good();
    return { ...registry, ...change(registry) };
  };
  return { name, noticedBy, make };
}

/** The uploads of a registry, changed. */
function withUploads(
  registry: Registry,
  change: (upload: BlobUpload, repository: string) => Partial<BlobUpload>,
): Partial<Registry> {
  const changed = (upload: BlobUpload, repository: string): BlobUpload => ({
    get id() {
      return upload.id;
    },
    get size() {
      return upload.size;
    },
    append: (source, options) => upload.append(source, options),
    commit: (digest, options) => upload.commit(digest, options),
    close: () => upload.close(),
    cancel: (options) => upload.cancel(options),
    [Symbol.asyncDispose]: () => upload.close(),
    ...change(upload, repository),
  });
  return {
    startUpload: async (name, options) => changed(await registry.startUpload(name, options), name),
    resumeUpload: async (name, id, options) => changed(await registry.resumeUpload(name, id, options), name),
  };
}

function withMaintenance(registry: Registry, change: (found: Maintenance) => Partial<Maintenance>): Partial<Registry> {
  const found = maintenanceOf(registry);
  return found === undefined ? {} : { [maintenance]: { ...found, ...change(found) } };
}

const defects: Defect[] = [
  withDefect('a push that fails creates the repository', 'pushing blobs', (registry) => ({
    async pushBlob(name, blob, source, options) {
      const other = randomBlob(1);
      await registry.pushBlob(name, other.descriptor, other.bytes);
      return registry.pushBlob(name, blob, source, options);
    },
  })),
  withDefect('the bytes for an existing blob are not read', 'pushing blobs', (registry) => ({
    async pushBlob(name, blob, source, options) {
      const found = await registry.resolveBlob(name, blob.digest).catch(() => undefined);
      return found ?? registry.pushBlob(name, blob, source, options);
    },
  })),
  withDefect('sizes are not compared', 'pushing blobs', (registry) => ({
    pushBlob: (name, { digest }, source, options) => registry.pushBlob(name, { digest }, source, options),
  })),
  withDefect('every repository sees every blob', 'pushing blobs', (registry) => {
    const homes = new Map<Digest, string>();
    return {
      pushBlob(name, blob, source, options) {
        homes.set(blob.digest, name);
        return registry.pushBlob(name, blob, source, options);
      },
      getBlob: (name, digest, options) => registry.getBlob(homes.get(digest) ?? name, digest, options),
      resolveBlob: (name, digest, options) => registry.resolveBlob(homes.get(digest) ?? name, digest, options),
    };
  }),
  withDefect('ranges are ignored', 'reading a part of a blob', (registry) => ({
    getBlob: (name, digest) => registry.getBlob(name, digest),
  })),
  withDefect("a part's descriptor has the part's size", 'reading a part of a blob', (registry) => ({
    async getBlob(name, digest, options) {
      const content = await registry.getBlob(name, digest, options);
      const bytes = await content.bytes();
      const descriptor = { ...content.descriptor, size: bytes.length };
      return createContent({ descriptor, source: { pieces: [bytes] } });
    },
  })),
  withDefect('resuming an unknown upload creates one', 'a resumed upload', (registry) => ({
    async resumeUpload(name, id, options) {
      try {
        return await registry.resumeUpload(name, id, options);
      } catch (error) {
        if (isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN')) return registry.startUpload(name);
        throw error;
      }
    },
  })),
  withDefect('an upload can be resumed in any repository', 'a resumed upload', (registry) => {
    const homes = new Map<string, string>();
    return {
      async startUpload(name, options) {
        const upload = await registry.startUpload(name, options);
        homes.set(upload.id, name);
        return upload;
      },
      resumeUpload: (name, id, options) => registry.resumeUpload(homes.get(id) ?? name, id, options),
    };
  }),
  withDefect('an upload of one byte counts as empty', 'a resumed upload', (registry) =>
    withUploads(registry, (upload) => ({
      get size() {
        return upload.size === 1 ? 0 : upload.size;
      },
    })),
  ),
  withDefect('a commit with the wrong digest ends the upload', 'an upload with a failed step', (registry) =>
    withUploads(registry, (upload) => ({
      async commit(digest, options) {
        try {
          return await upload.commit(digest, options);
        } catch (error) {
          await upload.cancel();
          throw error;
        }
      },
    })),
  ),
  withDefect('the position of bytes is ignored', 'an upload with a failed step', (registry) =>
    withUploads(registry, (upload) => ({
      append: (source, { at: _at, ...options } = {}) => upload.append(source, options),
    })),
  ),
  withDefect('the bytes of a chunk with the wrong size are kept', 'an upload with a failed step', (registry) =>
    withUploads(registry, (upload) => ({
      async append(source, { size, ...options } = {}) {
        const before = upload.size ?? 0;
        const after = await upload.append(source, options);
        if (size !== undefined && after - before !== size) throw new RegistryError('SIZE_INVALID', 'too late');
        return after;
      },
    })),
  ),
  withDefect('a committed upload stays', 'an ended upload', (registry) => ({
    async resumeUpload(name, id, options) {
      return registry.resumeUpload(name, id, options).catch(() => registry.startUpload(name));
    },
  })),
  withDefect('a mount of a missing blob is an error', 'mounting', (registry) => ({
    async mountBlob(from, name, digest, options) {
      const result = await registry.mountBlob(from, name, digest, options);
      if (result.descriptor === undefined) throw new RegistryError('BLOB_UNKNOWN', 'it is not there');
      return result;
    },
  })),
  withDefect('a mount takes the blob from any repository, and ignores the named one', 'mounting', (registry) => ({
    mountBlob: (_from, name, digest, options) => registry.mountBlob(undefined, name, digest, options),
  })),
  withDefect('manifests are stored in another form', 'pushing manifests', (registry) => ({
    pushManifest(name, bytes, mediaType, options) {
      const text = JSON.stringify(JSON.parse(new TextDecoder().decode(bytes)));
      return registry.pushManifest(name, new TextEncoder().encode(text), mediaType, options);
    },
  })),
  withDefect('the digest of a pushed manifest is not compared', 'pushing manifests', (registry) => ({
    pushManifest(name, bytes, mediaType, options) {
      const digest = options?.digest === undefined ? undefined : digestOf(bytes, options.digest.split(':')[0]);
      return registry.pushManifest(name, bytes, mediaType, { ...options, digest });
    },
  })),
  withDefect('a manifest without mediaType is refused', 'pushing manifests', (registry) => ({
    pushManifest(name, bytes, mediaType, options) {
      if (!Object.hasOwn(JSON.parse(new TextDecoder().decode(bytes)) as object, 'mediaType')) {
        return Promise.reject(new RegistryError('MANIFEST_INVALID', 'the mediaType is missing'));
      }
      return registry.pushManifest(name, bytes, mediaType, options);
    },
  })),
  withDefect('missing content is accepted', 'checking the links of a manifest', () => good({ sparse: true })),
  withDefect('tags are set one after another', 'tagging', (registry) => ({
    async pushManifest(name, bytes, mediaType, options = {}) {
      const { tags = [], ...others } = options;
      const pushed = await registry.pushManifest(name, bytes, mediaType, others);
      for (const tag of tags) await registry.pushManifest(name, bytes, mediaType, { ...others, tags: [tag] });
      return { ...pushed, tags };
    },
  })),
  withDefect('a manifest is deleted when its tag moves', 'tagging', (registry) => ({
    async pushManifest(name, bytes, mediaType, options = {}) {
      const [tag] = options.tags ?? [];
      const before = tag === undefined ? undefined : await registry.resolveTag(name, tag).catch(() => undefined);
      const pushed = await registry.pushManifest(name, bytes, mediaType, options);
      if (before !== undefined && before.digest !== pushed.descriptor.digest) {
        await registry.deleteManifest(name, before.digest);
      }
      return pushed;
    },
  })),
  withDefect(
    'conditions on tags are checked before the tag is set, and not with it',
    'changing tags on a condition',
    (registry) => ({
      async pushManifest(name, bytes, mediaType, { ifTag, ...options } = {}) {
        for (const tag of ifTag === undefined ? [] : (options.tags ?? [])) {
          const found = await registry.resolveTag(name, tag).catch(() => null);
          if ((found?.digest ?? null) !== ifTag) throw new RegistryError('PRECONDITION_FAILED', 'it is elsewhere');
        }
        return registry.pushManifest(name, bytes, mediaType, options);
      },
    }),
  ),
  {
    name: 'a push stops at the first tag that exists already',
    noticedBy: 'a registry with immutable tags',
    traits: { immutableTags: true },
    make: () => {
      const registry = good({ immutableTags: true });
      return {
        ...registry,
        async pushManifest(name, bytes, mediaType, options = {}) {
          const [first = ''] = options.tags ?? [];
          const found = await registry.resolveTag(name, first).catch(() => undefined);
          if (found?.digest === digestOf(bytes)) return { descriptor: found, tags: options.tags ?? [] };
          return registry.pushManifest(name, bytes, mediaType, options);
        },
      };
    },
  },
  withDefect('a limit of 0 means no limit', 'listing tags', (registry) => ({
    tags: (name, options = {}) =>
      registry.tags(name, { ...options, limit: options.limit === 0 ? undefined : options.limit }),
  })),
  withDefect('tags are in the order of a dictionary', 'listing tags', (registry) => ({
    async *tags(name, options) {
      yield* (await collect(registry.tags(name, options))).toSorted((a, b) => a.localeCompare(b));
    },
  })),
  withDefect('the tag to start after is listed', 'listing tags', (registry) => ({
    async *tags(name, { startAfter, ...options } = {}) {
      yield* (await collect(registry.tags(name, options))).filter(
        (tag) => startAfter === undefined || tag >= startAfter,
      );
    },
  })),
  withDefect(
    'repositories are listed as a walk through directories finds them',
    'listing repositories',
    (registry) => ({
      async *repositories(options) {
        const all = await collect(registry.repositories(options));
        yield* all.toSorted((a, b) => (a.replaceAll('/', '\0') < b.replaceAll('/', '\0') ? -1 : 1));
      },
    }),
  ),
  withDefect("an image's config type is not its type as a referrer", 'listing referrers', (registry) => ({
    async *referrers(name, digest, options) {
      for await (const descriptor of registry.referrers(name, digest, options)) {
        const { artifactType, ...others } = descriptor;
        yield artifactType === mediaTypes.imageConfig ? others : descriptor;
      }
    },
  })),
  withDefect('referrers of an unknown repository are an error', 'listing referrers', (registry) => ({
    async *referrers(name, digest, options) {
      for await (const _tag of registry.tags(name));
      yield* registry.referrers(name, digest, options);
    },
  })),
  withDefect('a deleted blob is deleted everywhere', 'deleting blobs', (registry) => ({
    async deleteBlob(name, digest, options) {
      await registry.deleteBlob(name, digest, options);
      for (const other of await collect(registry.repositories())) {
        await registry.deleteBlob(other, digest).catch(() => undefined);
      }
    },
  })),
  withDefect('the tags of a deleted manifest stay', 'deleting manifests', (registry) => {
    const dangling = new Set<string>();
    return {
      async deleteManifest(name, digest, options) {
        for (const tag of await collect(registry.tags(name))) {
          if ((await registry.resolveTag(name, tag)).digest === digest) dangling.add(tag);
        }
        await registry.deleteManifest(name, digest, options);
      },
      async *tags(name, options) {
        yield* [...(await collect(registry.tags(name, options))), ...dangling].toSorted();
      },
    };
  }),
  withDefect('a manifest is deleted with its last tag', 'deleting tags', (registry) => ({
    async deleteTag(name, tag, options) {
      const { digest } = await registry.resolveTag(name, tag);
      await registry.deleteTag(name, tag, options);
      await registry.deleteManifest(name, digest);
    },
  })),
  withDefect('signals are ignored', 'an aborted signal', (registry) => ({
    getTag: (name, tag) => registry.getTag(name, tag),
  })),
  withDefect('a list continues when its signal is aborted', 'an aborted signal', (registry) => ({
    async *tags(name, { signal, ...options } = {}) {
      signal?.throwIfAborted();
      yield* registry.tags(name, options);
    },
  })),
  withDefect('names are not checked', 'checking arguments', (registry) => ({
    async *tags(name, options) {
      try {
        yield* registry.tags(name, options);
      } catch (error) {
        throw isRegistryError(error, 'NAME_INVALID') ? new RegistryError('NAME_UNKNOWN', 'it is not there') : error;
      }
    },
  })),
  withDefect('leases are forgotten', 'Maintenance removes', (registry) =>
    withMaintenance(registry, () => ({ lease: async () => ({ [Symbol.asyncDispose]: async () => undefined }) })),
  ),
  withDefect('the last use is ignored', 'Maintenance removes', (registry) =>
    withMaintenance(registry, (found) => ({
      removeUnused: (name, digest) => found.removeUnused(name, digest, { unusedSince: new Date(Date.now() + 10_000) }),
    })),
  ),
  withDefect('missing content is verified', 'Maintenance verifies', (registry) =>
    withMaintenance(registry, () => ({ verify: async () => 'ok' })),
  ),
  {
    name: 'moves are listed oldest first',
    noticedBy: 'History lists',
    traits: { keepsHistory: true },
    make: () => {
      const registry = good();
      const found = historyOf(registry);
      if (found === undefined) throw new Error('expected a registry with a History');
      const moves: History['moves'] = async function* (...args) {
        yield* (await collect(found.moves(...args))).toReversed();
      };
      return { ...registry, [history]: { moves } };
    },
  },
  {
    name: 'a read-only registry can be changed',
    noticedBy: 'a read-only registry',
    traits: { readOnly: true },
    make: good,
  },
];

describe('the contract notices that', () => {
  test.each(defects)('$name', async ({ noticedBy, traits, make }) => {
    const groups = registryContract({ create: async () => ({ registry: make() }), traits });
    const group = groups.find(({ name }) => name === noticedBy);
    const cases = group?.cases.filter(({ leftOut }) => leftOut === undefined) ?? [];
    expect(await firstFailure(cases)).toBeDefined();
  });
});

async function firstFailure(cases: readonly ContractCase[]): Promise<string | undefined> {
  for (const { name, run } of cases) {
    try {
      await run();
    } catch {
      return name;
    }
  }
  return undefined;
}
