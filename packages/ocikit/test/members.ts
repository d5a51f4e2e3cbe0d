// Registries with changed methods, for tests of views over several members.
import { createContent } from '../src/model/index.ts';
import type { BlobContent, Registry } from '../src/model/index.ts';

/** A registry with some methods replaced. The new ones may call those of the registry. */
export function changed(registry: Registry, methods: Partial<Registry>): Registry {
  return { ...registry, ...methods };
}

/** A registry whose every call fails with this error. */
export function failing(registry: Registry, error: unknown): Registry {
  const fail = (): Promise<never> => Promise.reject(error);
  const list = (): AsyncIterable<never> => ({ [Symbol.asyncIterator]: () => ({ next: fail }) });
  return {
    ...registry,
    getBlob: fail,
    getManifest: fail,
    getTag: fail,
    resolveBlob: fail,
    resolveManifest: fail,
    resolveTag: fail,
    pushBlob: fail,
    startUpload: fail,
    resumeUpload: fail,
    mountBlob: fail,
    pushManifest: fail,
    deleteBlob: fail,
    deleteManifest: fail,
    deleteTag: fail,
    repositories: list,
    tags: list,
    referrers: list,
  };
}

/** A registry that records which contents are open: neither read to the end nor cancelled. */
export interface Watched {
  /** The registry to read from. */
  readonly registry: Registry;
  /** The open contents. */
  readonly open: ReadonlySet<BlobContent>;
  /** The contents that it has given. */
  readonly count: number;
}

/** A registry that records its open contents. They give their bytes in pieces of this size. */
export function watched(registry: Registry, pieceSize = 1000): Watched {
  const open = new Set<BlobContent>();
  let count = 0;
  return {
    open,
    get count() {
      return count;
    },
    registry: changed(registry, {
      async getBlob(repository, digest, options = {}) {
        const { descriptor, range, ...inner } = await contentOf(registry, repository, digest, options);
        const content: BlobContent = createContent({
          descriptor,
          range,
          signal: options.signal,
          source: {
            async *iterate() {
              try {
                for (let at = 0; at < inner.bytes.length; at += pieceSize) {
                  yield inner.bytes.subarray(at, at + pieceSize);
                }
              } finally {
                open.delete(content);
              }
            },
            async cancel() {
              open.delete(content);
            },
          },
        });
        open.add(content);
        count++;
        return content;
      },
    }),
  };
}

async function contentOf(
  registry: Registry,
  ...args: Parameters<Registry['getBlob']>
): Promise<Pick<BlobContent, 'descriptor' | 'range'> & { bytes: Uint8Array }> {
  const content = await registry.getBlob(...args);
  const { descriptor, range } = content;
  return { descriptor, range, bytes: await content.bytes() };
}

/** A registry whose contents fail with this error after this many bytes. */
export function cutting(registry: Registry, after: number, error: unknown): Registry {
  return changed(registry, {
    async getBlob(repository, digest, options = {}) {
      const { descriptor, range, bytes } = await contentOf(registry, repository, digest, options);
      return createContent({
        descriptor,
        range,
        source: {
          async *iterate() {
            if (after > 0) yield bytes.subarray(0, after);
            throw error;
          },
        },
      });
    },
  });
}
