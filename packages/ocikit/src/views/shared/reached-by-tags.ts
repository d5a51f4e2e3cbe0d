// Finds a tag through which content is reached.
import { isManifestUnknown, isRegistryError, linksOf, parseManifestInTurn } from '../../model/index.ts';
import type { CallOptions, Digest, Manifest, ManifestLinks, Registry } from '../../model/index.ts';

/**
 * A tag that reaches the content: a tag reaches its manifest, the manifests that an index names, their blobs and
 * subjects. Reads every manifest that a tag reaches, one after another, and keeps their digests.
 *
 * @param counts whether to look at a tag
 * @returns undefined if no such tag reaches the content
 */
export async function tagThatReaches(
  registry: Registry,
  repository: string,
  digest: Digest,
  counts: (tag: string, repository: string) => boolean,
  { signal, context }: CallOptions,
): Promise<string | undefined> {
  const call: CallOptions = { signal, context };
  const seen = new Set<Digest>();
  try {
    for await (const tag of registry.tags(repository, call)) {
      if (!counts(tag, repository)) continue;
      const manifest = await unlessUnknown(registry.getTag(repository, tag, call));
      if (manifest === undefined) continue;
      if (await reaches(manifest)) return tag;
    }
  } catch (error) {
    // Some registries do not know a repository without tags. If it is unknown, the caller's next step fails.
    if (!isRegistryError(error, 'NAME_UNKNOWN', 'NOT_FOUND')) throw error;
  }
  return undefined;

  async function reaches(root: Manifest): Promise<boolean> {
    const waiting = [root];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (next.descriptor.digest === digest) return true;
      if (seen.has(next.descriptor.digest)) continue;
      seen.add(next.descriptor.digest);
      const { blobs, manifests, subject } = await linksIn(next);
      const named = [...manifests, ...(subject === undefined ? [] : [subject])];
      if ([...blobs, ...named].some((descriptor) => descriptor.digest === digest)) return true;
      for (const each of named) {
        if (seen.has(each.digest)) continue;
        const child = await unlessUnknown(registry.getManifest(repository, each.digest, call));
        if (child !== undefined) waiting.push(child);
      }
    }
    return false;
  }
}

/**
 * The content that a manifest names. A registry may hold bytes that are no manifest by today's rules: they name
 * nothing.
 */
async function linksIn({ bytes, descriptor }: Manifest): Promise<ManifestLinks> {
  try {
    const document = await parseManifestInTurn(bytes, descriptor.mediaType);
    const { blobs, manifests, subject } = linksOf(document);
    // An index may give a manifest an unknown type, so that it counts as a blob.
    return document.kind === 'index'
      ? { blobs: [], manifests: [...manifests, ...blobs], subject }
      : { blobs, manifests, subject };
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return { blobs: [], manifests: [], subject: undefined };
  }
}

/** A tag may have been deleted since it was listed, and an index may name manifests that are missing. */
async function unlessUnknown(manifest: Promise<Manifest>): Promise<Manifest | undefined> {
  try {
    return await manifest;
  } catch (error) {
    if (isManifestUnknown(error)) return undefined;
    throw error;
  }
}
