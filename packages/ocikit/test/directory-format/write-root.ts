// A fixed sequence of changes to a root directory. `roots.json` is what version 0.1.0 wrote for it, `roots-2.json` what
// the present version writes.
import { digestOf, identityOf, mediaTypes } from '../../src/model/index.ts';
import type { Descriptor, Digest } from '../../src/model/index.ts';
import type { LayoutRegistry } from '../../src/stores/layout/index.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Content {
  bytes: Uint8Array;
  descriptor: Descriptor;
}

function contentOf(text: string, mediaType = 'application/octet-stream'): Content {
  const bytes = encode(text);
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

const config = contentOf('{}', 'application/vnd.oci.empty.v1+json');

function manifestOf(layer: Content, more: object = {}): Content {
  const document = {
    schemaVersion: 2,
    mediaType: mediaTypes.imageManifest,
    config: config.descriptor,
    layers: [layer.descriptor],
    ...more,
  };
  return contentOf(JSON.stringify(document), mediaTypes.imageManifest);
}

const layers = { one: contentOf('the first layer'), two: contentOf('the second layer'), three: contentOf('the third') };
const loose = contentOf('a blob that no manifest names');
const deleted = contentOf('a blob that was deleted again');
const one = manifestOf(layers.one);
const two = manifestOf(layers.two);
const three = manifestOf(layers.three);
const list = contentOf(
  JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.imageIndex, manifests: [one.descriptor] }),
  mediaTypes.imageIndex,
);
const signature = manifestOf(layers.one, { artifactType: 'application/vnd.example', subject: one.descriptor });

/** The content of the root after the sequence, by repository. */
export const expected: Record<
  string,
  { tags: Record<string, Digest>; manifests: Content[]; blobs: Content[]; referrers: Digest[] }
> = {
  'library/app': {
    tags: { latest: two.descriptor.digest, multi: list.descriptor.digest },
    manifests: [one, two, list, signature],
    blobs: [config, layers.one, layers.two, loose],
    referrers: [signature.descriptor.digest],
  },
  // A component that is the name of a layout's own directory.
  'mirror/blobs': {
    tags: { x: three.descriptor.digest },
    manifests: [three],
    blobs: [config, layers.three],
    referrers: [],
  },
  'other/tool': {
    tags: { v1: one.descriptor.digest },
    manifests: [one],
    blobs: [config, layers.one],
    referrers: [],
  },
};

/** The manifest that the referrers refer to. */
export const subject: Digest = one.descriptor.digest;

/** A small blob whose bytes the journal has. */
export const journalled: Digest = layers.three.descriptor.digest;

/** A blob that a process which ends cleanly saves a time for. */
export const used: Digest = loose.descriptor.digest;

/** The moves of the tags of `library/app`, newest first. */
export const moves = [
  { tag: 'v1', digest: undefined, previous: one.descriptor.digest },
  { tag: 'latest', digest: two.descriptor.digest, previous: one.descriptor.digest, caller: 'alice' },
  { tag: 'multi', digest: list.descriptor.digest, previous: undefined },
  { tag: 'latest', digest: one.descriptor.digest, previous: undefined },
  { tag: 'v1', digest: one.descriptor.digest, previous: undefined },
];

/** The bytes of the upload that is not finished. */
export const uploadedBytes: Uint8Array = encode('the beginning of an upload');

/**
 * Makes the changes. Some are folded into the index and the snapshot, later ones are only in the journal.
 *
 * @returns the id of an upload that is not finished
 */
export async function writeRoot(registry: LayoutRegistry): Promise<string> {
  const push = async (repository: string, manifest: Content, blobs: Content[], tags: string[]): Promise<void> => {
    for (const { descriptor, bytes } of blobs) await registry.pushBlob(repository, descriptor, bytes);
    await registry.pushManifest(repository, manifest.bytes, manifest.descriptor.mediaType, { tags });
  };
  await push('library/app', one, [config, layers.one], ['v1', 'latest']);
  await push('library/app', list, [], ['multi']);
  await push('library/app', signature, [], []);
  await registry.fold();
  await push('mirror/blobs', three, [config, layers.three], ['x']);
  await registry.mountBlob('library/app', 'other/tool', config.descriptor.digest);
  await push('other/tool', one, [layers.one], ['v1']);
  await registry.pushBlob('library/app', loose.descriptor, loose.bytes);
  await registry.pushBlob('library/app', layers.two.descriptor, layers.two.bytes);
  await registry.pushManifest('library/app', two.bytes, two.descriptor.mediaType, {
    tags: ['latest'],
    context: { identity: identityOf('alice') },
  });
  await registry.deleteTag('library/app', 'v1');
  await registry.pushBlob('library/app', deleted.descriptor, deleted.bytes);
  await registry.deleteBlob('library/app', deleted.descriptor.digest);
  const upload = await registry.startUpload('library/app');
  await upload.append(uploadedBytes);
  await upload.close();
  return upload.id;
}
