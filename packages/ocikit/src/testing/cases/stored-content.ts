// Expectations about stored content: blobs, manifests, tags and repositories.
import { collect } from '../../model/index.ts';
import type { BlobUpload, Descriptor, Digest, ErrorCode, MountResult, Registry } from '../../model/index.ts';
import { pushContent } from '../content/index.ts';
import type { TestManifest } from '../content/index.ts';

import { ContractError, equal, firstOf, rejects, sameBytes } from './expectations.ts';
import type { Scene } from './group.ts';
import type { ContractTraits } from './target.ts';

/** The digest algorithms that a registry has to support. */
export const algorithms = ['sha256', 'sha512'] as const;

/** The codes that a failed `resolve…` may have. Over HTTP the answer to HEAD has a status only. */
export function codesOfHead(traits: ContractTraits, code: 'NAME_UNKNOWN', kind: ErrorCode): readonly ErrorCode[] {
  return traits.remote === true ? [code, kind] : [code];
}

/** The codes that a call may have that looks for content in a repository that does not exist. */
export function codesOfUnknownRepository({ lacks = [] }: ContractTraits, kind: ErrorCode): readonly ErrorCode[] {
  return lacks.includes('unknownNames') ? ['NAME_UNKNOWN', kind] : ['NAME_UNKNOWN'];
}

/** The fields of a descriptor that identify content: without annotations, platform and the like. */
export function identityOf({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** The blob that a call of `mountBlob` has mounted. Fails if the call began an upload. */
export function mountedIn({ descriptor }: MountResult): Descriptor {
  if (descriptor === undefined) {
    throw new ContractError('expected the blob to be mounted, but an upload has begun');
  }
  return identityOf(descriptor);
}

/**
 * The upload that a call of `mountBlob` has begun. Fails if the call mounted the blob.
 *
 * @param what the reason not to mount it, for the message
 */
export function uploadIn({ upload }: MountResult, what: string): BlobUpload {
  if (upload === undefined) throw new ContractError(`expected an upload for ${what}, but the blob was mounted`);
  return upload;
}

/** The blob can be resolved and read, whole. */
export async function assertBlob(
  registry: Registry,
  repository: string,
  { digest }: { digest: Digest },
  bytes: Uint8Array,
): Promise<void> {
  const descriptor = { mediaType: 'application/octet-stream', digest, size: bytes.length };
  equal(
    identityOf(await registry.resolveBlob(repository, digest)),
    descriptor,
    `the blob's descriptor in ${repository}`,
  );
  const content = await registry.getBlob(repository, digest);
  equal(identityOf(content.descriptor), descriptor, 'the descriptor of the content');
  sameBytes(await content.bytes(), bytes, `the blob in ${repository}`);
}

/** The repository exists, but the blob is not in it. */
export async function assertNoBlob(registry: Registry, repository: string, digest: Digest): Promise<void> {
  await rejects(registry.resolveBlob(repository, digest), 'BLOB_UNKNOWN', 'resolveBlob');
  await rejects(readAll(registry, repository, digest), 'BLOB_UNKNOWN', 'getBlob');
}

/** The repository does not exist: no method knows it, and it is not listed. */
export async function assertNoRepository(scene: Scene, repository: string, digest: Digest): Promise<void> {
  const { registry, traits } = scene;
  await rejects(firstOf(registry.tags(repository)), 'NAME_UNKNOWN', 'tags');
  await rejects(
    registry.resolveBlob(repository, digest),
    codesOfHead(traits, 'NAME_UNKNOWN', 'BLOB_UNKNOWN'),
    'resolveBlob in an unknown repository',
  );
  await rejects(
    readAll(registry, repository, digest),
    codesOfUnknownRepository(traits, 'BLOB_UNKNOWN'),
    'getBlob in an unknown repository',
  );
  equal((await scene.listed()).includes(repository), false, `whether ${repository} is listed`);
}

/** The manifest can be read, byte by byte, by its digest and by these tags. */
export async function assertManifest(
  registry: Registry,
  repository: string,
  { descriptor, bytes }: TestManifest,
  ...tags: string[]
): Promise<void> {
  const { digest } = descriptor;
  equal(identityOf(await registry.resolveManifest(repository, digest)), descriptor, 'resolveManifest');
  const manifest = await registry.getManifest(repository, digest);
  equal(identityOf(manifest.descriptor), descriptor, "getManifest's descriptor");
  sameBytes(manifest.bytes, bytes, "getManifest's bytes");
  for (const tag of tags) {
    equal(identityOf(await registry.resolveTag(repository, tag)), descriptor, `resolveTag of ${tag}`);
    const tagged = await registry.getTag(repository, tag);
    equal(identityOf(tagged.descriptor), descriptor, `getTag's descriptor of ${tag}`);
    sameBytes(tagged.bytes, bytes, `getTag's bytes of ${tag}`);
  }
}

/** The repository exists, but the manifest is not in it. */
export async function assertNoManifest(
  registry: Registry,
  repository: string,
  digest: `${string}:${string}`,
): Promise<void> {
  await rejects(registry.resolveManifest(repository, digest), 'MANIFEST_UNKNOWN', 'resolveManifest');
  await rejects(registry.getManifest(repository, digest), 'MANIFEST_UNKNOWN', 'getManifest');
}

/** The repository exists, but not the tag. */
export async function assertNoTag(registry: Registry, repository: string, tag: string): Promise<void> {
  await rejects(registry.resolveTag(repository, tag), 'MANIFEST_UNKNOWN', `resolveTag of ${tag}`);
  await rejects(registry.getTag(repository, tag), 'MANIFEST_UNKNOWN', `getTag of ${tag}`);
  equal((await collect(registry.tags(repository))).includes(tag), false, `whether ${tag} is listed`);
}

/** Pushes everything that a manifest names, without the manifest. */
export async function pushParts(registry: Registry, repository: string, manifest: TestManifest): Promise<void> {
  for (const { descriptor, bytes } of manifest.blobs) await registry.pushBlob(repository, descriptor, bytes);
  for (const entry of manifest.manifests) await pushContent(registry, repository, entry);
}

async function readAll(registry: Registry, repository: string, digest: Digest): Promise<Uint8Array> {
  return (await registry.getBlob(repository, digest)).bytes();
}
