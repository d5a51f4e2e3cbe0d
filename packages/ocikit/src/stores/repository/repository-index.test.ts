import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';
import type { Descriptor, Digest } from '../../model/index.ts';

import { RepositoryIndex } from './repository-index.ts';
import type { NewManifest } from './repository-index.ts';

const digestFor = (name: string): Digest => digestOf(new TextEncoder().encode(name));
const [layer, config] = [digestFor('layer'), digestFor('config')];
const [image, other, list, subject] = [digestFor('image'), digestFor('other'), digestFor('list'), digestFor('subject')];

function descriptor(digest: Digest, fields: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: 'application/vnd.example', digest, size: 10, ...fields };
}

function manifest(digest: Digest, fields: Partial<NewManifest> = {}): NewManifest {
  return { descriptor: descriptor(digest), links: [], subject: undefined, referrer: undefined, ...fields };
}

/** A manifest that refers to another one. */
function referring(digest: Digest, to: Digest, artifactType = 'a/b'): NewManifest {
  return manifest(digest, { links: [to], subject: to, referrer: descriptor(digest, { artifactType }) });
}

function tagsOf(index: RepositoryIndex, digest: Digest): string[] | undefined {
  const tags = index.manifests.get(digest)?.tags;
  return tags === undefined ? undefined : [...tags].toSorted();
}

describe('an index', () => {
  test('is empty if it has neither blobs nor manifests', () => {
    const index = new RepositoryIndex();
    expect(index.isEmpty).toBe(true);
    index.putManifest(manifest(image), 1);
    expect(index.isEmpty).toBe(false);
    index.removeManifest(image);
    expect(index.isEmpty).toBe(true);
    index.blobs.set(layer, { size: 1, createdAt: 1, usedAt: 1 });
    expect(index.isEmpty).toBe(false);
  });
});

describe('a manifest', () => {
  test('is put in with the time', () => {
    const index = new RepositoryIndex();
    const entry = index.putManifest(manifest(image, { links: [layer] }), 7);
    expect(index.manifests.get(image)).toBe(entry);
    expect(entry).toMatchObject({ ...manifest(image, { links: [layer] }), createdAt: 7, usedAt: 7 });
    expect([...entry.tags]).toEqual([]);
  });

  test('that is put in again keeps its tags and its birth, and has the new descriptor', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 7);
    index.setTag('v1', image);
    const entry = index.putManifest(manifest(image, { descriptor: descriptor(image, { mediaType: 'x/y' }) }), 9);
    expect(entry).toMatchObject({ descriptor: { mediaType: 'x/y' }, createdAt: 7, usedAt: 9 });
    expect(tagsOf(index, image)).toEqual(['v1']);
    index.removeTag('v1');
    expect(tagsOf(index, image)).toEqual([]);
  });

  test('uses what it names', () => {
    const index = new RepositoryIndex();
    index.blobs.set(layer, { size: 1, createdAt: 1, usedAt: 1 });
    index.blobs.set(config, { size: 1, createdAt: 1, usedAt: 1 });
    index.putManifest(manifest(image), 2);
    index.putManifest(manifest(list, { links: [image, layer, digestFor('nowhere')] }), 5);
    expect(index.blobs.get(layer)).toMatchObject({ createdAt: 1, usedAt: 5 });
    expect(index.blobs.get(config)).toMatchObject({ usedAt: 1 });
    expect(index.manifests.get(image)).toMatchObject({ createdAt: 2, usedAt: 5 });
  });

  test('takes its tags with it, and only its own', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 1);
    index.putManifest(manifest(other), 1);
    for (const tag of ['v1', 'v2', 'v3']) index.setTag(tag, image);
    index.setTag('w', other);
    index.removeManifest(image);
    expect(index.manifests.has(image)).toBe(false);
    expect(index.digestOfTag('v1')).toBeUndefined();
    expect(index.tagNames.after(undefined, 10)).toEqual(['w']);
  });

  test('that is not there can be removed, and nothing happens', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 1);
    index.removeManifest(other);
    expect([...index.manifests.keys()]).toEqual([image]);
  });
});

describe('a tag', () => {
  test('moves from one manifest to the other', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 1);
    index.putManifest(manifest(other), 1);
    index.setTag('v1', image);
    index.setTag('v1', other);
    expect(index.digestOfTag('v1')).toBe(other);
    expect([tagsOf(index, image), tagsOf(index, other)]).toEqual([[], ['v1']]);
    expect(index.tagNames.size).toBe(1);
    index.removeManifest(image);
    expect(index.digestOfTag('v1')).toBe(other);
  });

  test('that is set again stays', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 1);
    index.setTag('v1', image);
    index.setTag('v1', image);
    expect(tagsOf(index, image)).toEqual(['v1']);
    expect(index.tagNames.after(undefined, 10)).toEqual(['v1']);
  });

  test('is removed without its manifest', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image), 1);
    index.setTag('v1', image);
    index.setTag('v2', image);
    index.removeTag('v1');
    index.removeTag('nowhere');
    expect(index.digestOfTag('v1')).toBeUndefined();
    expect(tagsOf(index, image)).toEqual(['v2']);
    expect(index.tagNames.after(undefined, 10)).toEqual(['v2']);
  });

  test('may be named like a property of every object', () => {
    const index = new RepositoryIndex();
    expect(index.digestOfTag('constructor')).toBeUndefined();
    expect(index.digestOfTag('__proto__')).toBeUndefined();
  });
});

describe('touching', () => {
  test('marks blob and manifest of the digest as used', () => {
    const index = new RepositoryIndex();
    index.blobs.set(image, { size: 1, createdAt: 1, usedAt: 1 });
    index.putManifest(manifest(image), 1);
    index.touch(image, 8);
    index.touch(digestFor('nowhere'), 9);
    expect(index.blobs.get(image)?.usedAt).toBe(8);
    expect(index.manifests.get(image)?.usedAt).toBe(8);
  });
});

describe('referrers', () => {
  const referrersOf = (index: RepositoryIndex): string[] | undefined =>
    index.referrerDigests(subject)?.after(undefined, 100);

  test('are known by their subject, which need not be there, in byte order', () => {
    const index = new RepositoryIndex();
    expect(referrersOf(index)).toBeUndefined();
    index.putManifest(referring(image, subject), 1);
    index.putManifest(referring(other, subject, 'c/d'), 1);
    index.putManifest(referring(list, image), 1);
    expect(referrersOf(index)).toEqual([image, other].toSorted());
    expect(index.referrer(subject, other)).toEqual(descriptor(other, { artifactType: 'c/d' }));
    expect(index.referrer(subject, list)).toBeUndefined();
    expect(index.referrer(image, list)?.digest).toBe(list);
  });

  test('go with their manifest', () => {
    const index = new RepositoryIndex();
    index.putManifest(referring(image, subject), 1);
    index.putManifest(referring(other, subject), 1);
    index.removeManifest(image);
    expect(referrersOf(index)).toEqual([other]);
    expect(index.referrer(subject, image)).toBeUndefined();
    index.removeManifest(other);
    expect(referrersOf(index)).toBeUndefined();
  });

  test('stay when their subject goes', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(subject), 1);
    index.putManifest(referring(image, subject), 1);
    index.removeManifest(subject);
    expect(referrersOf(index)).toEqual([image]);
  });

  test('are listed once, as they were put in last', () => {
    const index = new RepositoryIndex();
    index.putManifest(referring(image, subject, 'a/b'), 1);
    index.putManifest(referring(image, subject, 'c/d'), 2);
    expect(referrersOf(index)).toEqual([image]);
    expect(index.referrer(subject, image)?.artifactType).toBe('c/d');
  });
});

describe('the tag that reaches content', () => {
  /** A tagged list of an image, of a layer. */
  function nested(): RepositoryIndex {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image, { links: [config, layer] }), 1);
    index.putManifest(manifest(list, { links: [image] }), 1);
    index.setTag('v1', list);
    return index;
  }

  test('is found through the content that names it', () => {
    const index = nested();
    for (const digest of [list, image, layer, config]) expect(index.tagThatReaches(digest)).toBe('v1');
    expect(index.tagThatReaches(other)).toBeUndefined();
  });

  test('is none after the tag, or what lies between, is gone', () => {
    const untagged = nested();
    untagged.removeTag('v1');
    expect(untagged.tagThatReaches(layer)).toBeUndefined();

    const cut = nested();
    cut.removeManifest(image);
    expect(cut.tagThatReaches(layer)).toBeUndefined();
    expect(cut.tagThatReaches(image)).toBe('v1');
  });

  test('is found by the second way when the first is cut', () => {
    const index = nested();
    index.putManifest(manifest(other, { links: [layer] }), 1);
    index.setTag('v2', other);
    index.removeManifest(list);
    expect(index.tagThatReaches(layer)).toBe('v2');
    expect(index.tagThatReaches(image)).toBeUndefined();
  });

  test('is found for a subject through the manifest that refers to it', () => {
    const index = new RepositoryIndex();
    index.putManifest(referring(image, subject), 1);
    index.setTag('signature', image);
    expect(index.tagThatReaches(subject)).toBe('signature');
  });

  test('is looked for in a circle only once', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image, { links: [other] }), 1);
    index.putManifest(manifest(other, { links: [image] }), 1);
    expect(index.tagThatReaches(image)).toBeUndefined();
  });

  test('follows the links of a manifest as it was put in last', () => {
    const index = new RepositoryIndex();
    index.putManifest(manifest(image, { links: [layer] }), 1);
    index.setTag('v1', image);
    index.putManifest(manifest(image, { links: [config] }), 2);
    expect(index.tagThatReaches(layer)).toBeUndefined();
    expect(index.tagThatReaches(config)).toBe('v1');
  });
});
