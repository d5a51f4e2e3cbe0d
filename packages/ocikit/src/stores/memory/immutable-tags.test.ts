import { beforeEach, describe, expect, test } from 'vitest';

import { digestOf, mediaTypes } from '../../model/index.ts';
import type { Descriptor, Digest, PushManifestOptions, Registry } from '../../model/index.ts';

import { createMemoryRegistry } from './memory-registry.ts';

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const descriptorOf = (bytes: Uint8Array, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});

const config = encode({ made: 'up' });
const layer = encode('layer');
const imageOf = (fields: object = {}): Uint8Array =>
  encode({
    schemaVersion: 2,
    config: descriptorOf(config, mediaTypes.imageConfig),
    layers: [descriptorOf(layer, mediaTypes.layer)],
    ...fields,
  });
const image = imageOf();
const other = imageOf({ annotations: { other: 'yes' } });
const list = encode({ schemaVersion: 2, manifests: [descriptorOf(image, mediaTypes.imageManifest)] });

let registry: Registry;

async function push(bytes: Uint8Array, options: PushManifestOptions = {}): Promise<Digest> {
  const mediaType = bytes === list ? mediaTypes.imageIndex : mediaTypes.imageManifest;
  return (await registry.pushManifest('a', bytes, mediaType, options)).descriptor.digest;
}

beforeEach(async () => {
  registry = createMemoryRegistry({ immutableTags: true });
  for (const bytes of [config, layer]) await registry.pushBlob('a', { digest: digestOf(bytes) }, bytes);
});

const denied = { code: 'DENIED' };

describe('an immutable tag', () => {
  test('stays where it is', async () => {
    await push(image, { tags: ['v1'] });
    await expect(push(other, { tags: ['v1'] })).rejects.toMatchObject({
      ...denied,
      detail: { tag: 'v1', found: digestOf(image) },
    });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(digestOf(image));
    await expect(registry.resolveManifest('a', digestOf(other))).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });

  test('may be pushed again with the same content, together with new tags', async () => {
    await push(image, { tags: ['v1'] });
    expect(await registry.pushManifest('a', image, mediaTypes.imageManifest, { tags: ['v1', 'v2'] })).toMatchObject({
      tags: ['v1', 'v2'],
    });
    expect((await registry.resolveTag('a', 'v2')).digest).toBe(digestOf(image));
  });

  test('keeps all tags of a push from being set if it is one of them', async () => {
    await push(image, { tags: ['v1'] });
    await expect(push(other, { tags: ['v0', 'v1', 'v2'] })).rejects.toMatchObject(denied);
    for (const tag of ['v0', 'v2']) {
      await expect(registry.resolveTag('a', tag)).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    }
  });

  test('keeps the media type of what it reaches', async () => {
    await push(image, { tags: ['v1'] });
    await push(list, { tags: ['list'] });
    const asDocker = registry.pushManifest('a', image, mediaTypes.dockerManifest);
    await expect(asDocker).rejects.toMatchObject(denied);
    expect((await registry.resolveManifest('a', digestOf(image))).mediaType).toBe(mediaTypes.imageManifest);
  });

  test('does not keep the media type of what has no tag', async () => {
    await push(image);
    await registry.pushManifest('a', image, mediaTypes.dockerManifest);
    expect((await registry.resolveManifest('a', digestOf(image))).mediaType).toBe(mediaTypes.dockerManifest);
  });

  test('cannot be deleted', async () => {
    await push(image, { tags: ['v1'] });
    await expect(registry.deleteTag('a', 'v1')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(registry.deleteTag('a', 'v2')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(digestOf(image));
  });

  test('keeps everything that it reaches: blobs, manifests in an index, a subject', async () => {
    const signature = imageOf({ subject: descriptorOf(other, mediaTypes.imageManifest) });
    await push(image);
    await push(other);
    await push(list, { tags: ['list'] });
    await push(signature, { tags: ['signature'] });
    for (const bytes of [config, layer]) {
      await expect(registry.deleteBlob('a', digestOf(bytes))).rejects.toMatchObject(denied);
      expect((await registry.resolveBlob('a', digestOf(bytes))).size).toBe(bytes.length);
    }
    for (const bytes of [list, image, signature, other]) {
      await expect(registry.deleteManifest('a', digestOf(bytes))).rejects.toMatchObject(denied);
      expect((await registry.resolveManifest('a', digestOf(bytes))).size).toBe(bytes.length);
    }
  });

  test('keeps nothing that it does not reach, nor in other repositories', async () => {
    const loose = encode('loose');
    await push(image, { tags: ['v1'] });
    await push(other);
    await registry.pushBlob('a', { digest: digestOf(loose) }, loose);
    await registry.pushBlob('b', { digest: digestOf(layer) }, layer);
    await registry.deleteBlob('a', digestOf(loose));
    await registry.deleteManifest('a', digestOf(other));
    await registry.deleteBlob('b', digestOf(layer));
    expect(await (await registry.getBlob('a', digestOf(layer))).bytes()).toEqual(layer);
  });

  test('does not keep what refers to the content that it reaches', async () => {
    const signature = imageOf({ subject: descriptorOf(image, mediaTypes.imageManifest) });
    await push(image, { tags: ['v1'] });
    await push(signature);
    await registry.deleteManifest('a', digestOf(signature));
    await expect(registry.resolveManifest('a', digestOf(signature))).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
  });
});

describe('a tag that is not immutable', () => {
  test('can be moved and deleted, and keeps no content from being deleted', async () => {
    registry = createMemoryRegistry();
    for (const bytes of [config, layer]) await registry.pushBlob('a', { digest: digestOf(bytes) }, bytes);
    await push(image, { tags: ['v1', 'v2'] });
    await push(other, { tags: ['v1'] });
    expect((await registry.resolveTag('a', 'v1')).digest).toBe(digestOf(other));
    await registry.deleteTag('a', 'v2');
    await registry.deleteManifest('a', digestOf(other));
    await registry.deleteBlob('a', digestOf(layer));
    await expect(registry.resolveTag('a', 'v1')).rejects.toMatchObject({ code: 'MANIFEST_UNKNOWN' });
  });
});

describe('a sparse registry', () => {
  test('accepts manifests whose content is elsewhere', async () => {
    registry = createMemoryRegistry({ sparse: true });
    await push(list, { tags: ['list'] });
    await push(image);
    expect((await registry.resolveTag('a', 'list')).digest).toBe(digestOf(list));
  });

  test('is made only on request', async () => {
    registry = createMemoryRegistry();
    await expect(push(list)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { digest: digestOf(image) },
    });
    await expect(push(image)).rejects.toMatchObject({
      code: 'MANIFEST_BLOB_UNKNOWN',
      detail: { digest: digestOf(config) },
    });
  });
});
