// All methods of a registry, for cases that have to try each of them.
import { collect, mediaTypes } from '../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../model/index.ts';
import { imageOf } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

import type { Need } from './group.ts';

/** The arguments of a call. Each method takes those that it needs. */
export interface Arguments extends CallOptions {
  /** The repository's name. */
  repository: string;
  /** A digest of content in it. */
  digest: Digest;
  /** A tag in it. */
  tag: string;
}

/** A method of a registry, for cases that call all of them. */
export interface Method {
  /** Its name, with the variant if there are several. */
  readonly name: string;
  /** The arguments that it takes. */
  readonly takes: readonly ('repository' | 'digest' | 'tag')[];
  /** Properties that it needs from the registry. */
  readonly needs: readonly Need[];
  /** Calls it, and reads the result to its end. */
  readonly call: (registry: Registry, args: Arguments) => Promise<unknown>;
}

/** The manifest that the methods push. */
export const imageForMethods: TestManifest = imageOf({ layers: [] });
const bytes = new Uint8Array([1, 2, 3]);
const at = ['repository', 'digest'] as const;

/** Every method of a registry. */
export const methods: readonly Method[] = [
  {
    name: 'getBlob',
    takes: at,
    needs: [],
    call: async (registry, { repository, digest, signal }) =>
      (await registry.getBlob(repository, digest, { signal })).bytes(),
  },
  {
    name: 'getBlob with a range',
    takes: at,
    needs: [],
    call: async (registry, { repository, digest, signal }) =>
      (await registry.getBlob(repository, digest, { range: { start: 0, end: 1 }, signal })).bytes(),
  },
  {
    name: 'resolveBlob',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.resolveBlob(repository, digest, { signal }),
  },
  {
    name: 'getManifest',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.getManifest(repository, digest, { signal }),
  },
  {
    name: 'resolveManifest',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => registry.resolveManifest(repository, digest, { signal }),
  },
  {
    name: 'getTag',
    takes: ['repository', 'tag'],
    needs: [],
    call: (registry, { repository, tag, signal }) => registry.getTag(repository, tag, { signal }),
  },
  {
    name: 'resolveTag',
    takes: ['repository', 'tag'],
    needs: [],
    call: (registry, { repository, tag, signal }) => registry.resolveTag(repository, tag, { signal }),
  },
  {
    name: 'pushBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.pushBlob(repository, { digest }, bytes, { signal }),
  },
  {
    name: 'startUpload',
    takes: ['repository'],
    needs: ['writing'],
    call: (registry, { repository, signal }) => registry.startUpload(repository, { signal }),
  },
  {
    name: 'resumeUpload',
    takes: ['repository'],
    needs: ['writing'],
    call: (registry, { repository, signal }) => registry.resumeUpload(repository, 'unknown', { signal }),
  },
  {
    name: 'mountBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.mountBlob(undefined, repository, digest, { signal }),
  },
  {
    name: 'pushManifest',
    takes: ['repository', 'tag'],
    needs: ['writing'],
    call: (registry, { repository, tag, signal }) =>
      registry.pushManifest(repository, imageForMethods.bytes, mediaTypes.imageManifest, { tags: [tag], signal }),
  },
  {
    name: 'pushManifest with a digest',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) =>
      registry.pushManifest(repository, imageForMethods.bytes, mediaTypes.imageManifest, { digest, signal }),
  },
  {
    name: 'deleteBlob',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.deleteBlob(repository, digest, { signal }),
  },
  {
    name: 'deleteManifest',
    takes: at,
    needs: ['writing'],
    call: (registry, { repository, digest, signal }) => registry.deleteManifest(repository, digest, { signal }),
  },
  {
    name: 'deleteTag',
    takes: ['repository', 'tag'],
    needs: ['writing'],
    call: (registry, { repository, tag, signal }) => registry.deleteTag(repository, tag, { signal }),
  },
  {
    name: 'repositories',
    takes: [],
    needs: [],
    call: (registry, { signal }) => collect(registry.repositories({ limit: 2, signal })),
  },
  {
    name: 'tags',
    takes: ['repository'],
    needs: [],
    call: (registry, { repository, signal }) => collect(registry.tags(repository, { signal })),
  },
  {
    name: 'referrers',
    takes: at,
    needs: [],
    call: (registry, { repository, digest, signal }) => collect(registry.referrers(repository, digest, { signal })),
  },
];
