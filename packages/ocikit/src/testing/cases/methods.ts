import { collect, mediaTypes } from '../../model/index.ts';
import type { CallOptions, Digest, Registry } from '../../model/index.ts';
import { imageOf } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

import type { Need } from './group.ts';

/** What a method is called with where it takes one. */
export interface Arguments extends CallOptions {
  repository: string;
  digest: Digest;
  tag: string;
}

export interface Method {
  readonly name: string;
  readonly takes: readonly ('repository' | 'digest' | 'tag')[];
  readonly needs: readonly Need[];
  readonly call: (registry: Registry, args: Arguments) => Promise<unknown>;
}

/** The image that methods push. */
export const imageForMethods: TestManifest = imageOf({ layers: [] });
const bytes = new Uint8Array([1, 2, 3]);
const at = ['repository', 'digest'] as const;

/** Every method of a registry, as it is called with arguments that are as good as these. */
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
