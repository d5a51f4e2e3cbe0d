import { describe, expect, test } from 'vitest';

import { createContent } from './content.ts';
import type { BlobContent } from './content.ts';
import { digestOf } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { collect } from './iteration.ts';
import { partialRegistry } from './partial.ts';
import { maintenanceOf } from './registry.ts';
import type { BlobUpload, Registry } from './registry.ts';

const bytes = Uint8Array.of(1, 2, 3);
const digest = digestOf(bytes);

/** Every method, called in the repository `a/b` where it has one. */
const calls: [keyof Registry & string, (registry: Registry) => Promise<unknown>][] = [
  ['getBlob', (registry) => registry.getBlob('a/b', digest)],
  ['getManifest', (registry) => registry.getManifest('a/b', digest)],
  ['getTag', (registry) => registry.getTag('a/b', 'v1')],
  ['resolveBlob', (registry) => registry.resolveBlob('a/b', digest)],
  ['resolveManifest', (registry) => registry.resolveManifest('a/b', digest)],
  ['resolveTag', (registry) => registry.resolveTag('a/b', 'v1')],
  ['pushBlob', (registry) => registry.pushBlob('a/b', { digest }, bytes)],
  ['startUpload', (registry) => registry.startUpload('a/b')],
  ['resumeUpload', (registry) => registry.resumeUpload('a/b', 'id')],
  ['mountBlob', (registry) => registry.mountBlob('c/d', 'a/b', digest)],
  ['pushManifest', (registry) => registry.pushManifest('a/b', bytes, 'a/b')],
  ['deleteBlob', (registry) => registry.deleteBlob('a/b', digest)],
  ['deleteManifest', (registry) => registry.deleteManifest('a/b', digest)],
  ['deleteTag', (registry) => registry.deleteTag('a/b', 'v1')],
  ['repositories', (registry) => collect(registry.repositories())],
  ['tags', (registry) => collect(registry.tags('a/b'))],
  ['referrers', (registry) => collect(registry.referrers('a/b', digest))],
];
const lists = new Set(['repositories', 'tags', 'referrers']);

describe('a registry of no methods', () => {
  const registry = partialRegistry({});

  test.each(calls)('%s is UNSUPPORTED, and the error names it', async (method, call) => {
    const error = await call(registry).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RegistryError);
    expect(error).toMatchObject({ code: 'UNSUPPORTED', detail: { method } });
    expect((error as Error).message).toContain(method);
  });

  test('has every method that there is', () => {
    expect(Object.keys(registry).toSorted()).toEqual(calls.map(([method]) => method).toSorted());
  });

  test('cannot be maintained', () => {
    expect(maintenanceOf(registry)).toBeUndefined();
  });

  test.each(calls.filter(([method]) => lists.has(method)))(
    '%s fails with the first item, not with the call, and with every further one',
    async (method) => {
      const call = registry[method] as (repository: string) => AsyncIterable<unknown>;
      const iterator = call('a/b')[Symbol.asyncIterator]();
      await expect(iterator.next()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
      await expect(iterator.next()).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    },
  );
});

describe('an error of one’s own', () => {
  test.each(calls)('is what %s fails with, and is told the method and the repository', async (method, call) => {
    const told: unknown[] = [];
    const registry = partialRegistry(
      {},
      {
        missing(...args) {
          told.push(args);
          return new RegistryError('DENIED', 'not for you');
        },
      },
    );
    await expect(call(registry)).rejects.toMatchObject({ code: 'DENIED' });
    expect(told).toEqual([[method, method === 'repositories' ? undefined : 'a/b']]);
  });

  test('is UNSUPPORTED if it is left open', async () => {
    const registry = partialRegistry({}, { missing: () => undefined });
    await expect(registry.getTag('a/b', 'v1')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });
});

describe('a registry of some methods', () => {
  test('has them, with the arguments they are called with', async () => {
    const told: unknown[] = [];
    const registry = partialRegistry({
      async getBlob(repository, wanted, options) {
        told.push(repository, wanted, options);
        const descriptor = { mediaType: 'application/octet-stream', digest: wanted, size: 3 };
        return createContent({ descriptor, source: { pieces: [bytes] }, range: options?.range });
      },
      async *tags(repository, options) {
        told.push(repository, options);
        yield 'v1';
      },
    });
    const content = await registry.getBlob('a/b', digest, { range: { start: 1 } });
    expect(await content.bytes()).toEqual(Uint8Array.of(2, 3));
    expect(await collect(registry.tags('c', { limit: 1 }))).toEqual(['v1']);
    expect(told).toEqual(['a/b', digest, { range: { start: 1 } }, 'c', { limit: 1 }]);
    await expect(registry.resolveBlob('a/b', digest)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('resuming an upload does not depend on starting one, nor the other way round', async () => {
    const upload = { id: 'an upload' } as BlobUpload;
    const resuming = partialRegistry({ resumeUpload: async () => upload });
    expect(await resuming.resumeUpload('a', 'id')).toBe(upload);
    await expect(resuming.startUpload('a')).rejects.toMatchObject({ detail: { method: 'startUpload' } });

    const starting = partialRegistry({ startUpload: async () => upload });
    expect(await starting.startUpload('a')).toBe(upload);
    await expect(starting.resumeUpload('a', 'id')).rejects.toMatchObject({ detail: { method: 'resumeUpload' } });
  });

  test('calls a method on the object that it belongs to', async () => {
    class Shelf {
      readonly #blobs = new Map<Digest, Uint8Array>([[digest, bytes]]);

      async getBlob(_repository: string, wanted: Digest): Promise<BlobContent> {
        const found = this.#blobs.get(wanted) ?? new Uint8Array();
        const descriptor = { mediaType: 'application/octet-stream', digest: wanted, size: found.length };
        return createContent({ descriptor, source: { pieces: [found] } });
      }

      async *repositories(): AsyncGenerator<string> {
        yield `of ${this.#blobs.size}`;
      }
    }
    const registry = partialRegistry(new Shelf());
    expect(await (await registry.getBlob('a', digest)).bytes()).toEqual(bytes);
    expect(await collect(registry.repositories())).toEqual(['of 1']);
    // Views are made like this.
    const view: Registry = { ...registry };
    expect(await (await view.getBlob('a', digest)).bytes()).toEqual(bytes);
  });
});
