// The exercise of the client for every runtime with `fetch`, against a registry in another process.
import { digestOf } from 'ocikit';
import { createClient, explain } from 'ocikit/client';

/** Bytes of the large blob: more than one request sends, and more than the client holds at the start of a stream. */
const large = 5 * 1024 * 1024;

/**
 * @param {string} host `ADDRESS:PORT` of the registry, without TLS
 * @param {string} repository a repository for this exercise alone
 * @returns {Promise<string[]>} the steps that succeeded
 */
export async function exercise(host, repository) {
  const registry = createClient({ host, scheme: 'http' });
  /** @type {string[]} */
  const done = [];

  const config = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
  const layer = new Uint8Array(large).map((_, i) => (i * 31) >> 3);
  const configDigest = digestOf(config);
  const layerDigest = digestOf(layer, 'sha512');
  equal(layerDigest.length, 'sha512:'.length + 128, 'the length of a digest');
  await registry.pushBlob(repository, { digest: configDigest, size: config.length }, config);
  await registry.pushBlob(repository, { digest: layerDigest, size: layer.length }, new Blob([layer]));
  done.push('push blobs');

  const upload = await registry.startUpload(repository);
  await upload.append(new TextEncoder().encode('in '));
  await upload.append(new TextEncoder().encode('chunks'));
  const chunks = digestOf(new TextEncoder().encode('in chunks'));
  equal((await upload.commit(chunks)).size, 9, 'the size of the blob in chunks');
  done.push('push in chunks');

  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const image = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: layerDigest, size: layer.length }],
  };
  const bytes = new TextEncoder().encode(JSON.stringify(image));
  const { descriptor } = await registry.pushManifest(repository, bytes, mediaType, { tags: ['b', 'a'] });
  equal(descriptor.digest, digestOf(bytes), 'the digest of the manifest');
  done.push('push a manifest with tags');

  equal((await registry.getTag(repository, 'a')).descriptor, descriptor, 'the manifest of a tag');
  equal((await registry.resolveTag(repository, 'b')).digest, descriptor.digest, 'the digest of a tag');
  const pulled = await (await registry.getBlob(repository, layerDigest)).bytes();
  equal(digestOf(pulled, 'sha512'), layerDigest, 'the digest of the layer');
  const part = await (await registry.getBlob(repository, layerDigest, { range: { start: 7, end: 19 } })).bytes();
  equal(Array.from(part), Array.from(layer.subarray(7, 19)), 'a part of the layer');
  done.push('pull');

  const subject = { mediaType, digest: descriptor.digest, size: descriptor.size };
  const signature = { ...image, artifactType: 'application/vnd.example.signature', layers: [], subject };
  const signed = await registry.pushManifest(
    repository,
    new TextEncoder().encode(JSON.stringify(signature)),
    mediaType,
  );
  /** @type {string[]} */
  const referrers = [];
  for await (const { digest } of registry.referrers(repository, descriptor.digest)) referrers.push(digest);
  equal(referrers, [signed.descriptor.digest], 'the referrers');
  done.push('referrers');

  /** @type {string[]} */
  const tags = [];
  for await (const tag of registry.tags(repository)) tags.push(tag);
  equal(tags, ['a', 'b'], 'the tags');
  done.push('list tags');

  const wrong = digestOf(new TextEncoder().encode('something else'));
  const refused = await failureOf(registry.pushBlob(repository, { digest: wrong }, config));
  equal(refused.code, 'DIGEST_INVALID', 'the code for wrong bytes');
  const missing = await failureOf(registry.getTag(repository, 'missing'));
  equal(missing.code, 'MANIFEST_UNKNOWN', 'the code for a missing tag');
  equal(explain(missing)?.requests.length, 1, 'the requests for a missing tag');
  done.push('report errors');

  await registry.deleteTag(repository, 'b');
  equal((await failureOf(registry.resolveTag(repository, 'b'))).code, 'MANIFEST_UNKNOWN', 'the code for a deleted tag');
  done.push('delete a tag');
  return done;
}

/**
 * @param {unknown} found
 * @param {unknown} expected
 * @param {string} what
 */
function equal(found, expected, what) {
  const [left, right] = [found, expected].map((value) => JSON.stringify(value));
  if (left !== right) throw new Error(`${what}: expected ${right}, found ${left}`);
}

/**
 * @param {Promise<unknown>} promise
 * @returns {Promise<Error & { code?: string }>}
 */
async function failureOf(promise) {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('a call that has to fail succeeded');
}
