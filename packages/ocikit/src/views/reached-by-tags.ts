import { isRegistryError, linksOf, parseManifestInTurn } from '../model/index.ts';
import type { CallOptions, Digest, Manifest, ManifestLinks, Registry } from '../model/index.ts';

/**
 * A tag through which content is reached: its manifest, those that an index names, their blobs and subjects. Reads every
 * manifest that a tag reaches, one after another, and keeps their digests.
 *
 * @returns undefined if none of those for which `counts` gives true reaches it
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
    // Some registries do not know a repository without tags; whether there is one shows in what comes next.
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

/** What a registry holds that is no manifest by today's rules names nothing. */
async function linksIn({ bytes, descriptor }: Manifest): Promise<ManifestLinks> {
  try {
    return linksOf(await parseManifestInTurn(bytes, descriptor.mediaType));
  } catch (error) {
    if (!isRegistryError(error)) throw error;
    return { blobs: [], manifests: [], subject: undefined };
  }
}

/** A tag may have gone since it was listed, and a registry may hold an index without all that it names. */
async function unlessUnknown(manifest: Promise<Manifest>): Promise<Manifest | undefined> {
  try {
    return await manifest;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return undefined;
    throw error;
  }
}
