// The list of a manifest's referrers under a tag, read. Distribution specification, "Referrers Tag Schema".
import { isRegistryError, mediaTypes, parseManifest, referrerDescriptor } from '../../../model/index.ts';
import type {
  CallOptions,
  Descriptor,
  Digest,
  ImageIndex,
  ManifestDocument,
  Reader,
  ReferrersOptions,
} from '../../../model/index.ts';
import { referrersTag } from '../../wire/index.ts';

/** Manifests that are read at a time. */
const readAtOnce = 8;

/** The list of a manifest's referrers under a tag. */
interface ReferrersTag {
  /** The digest that the tag names; null if there is no such tag. */
  readonly at: Digest | null;
  readonly list: ImageIndex;
}

/**
 * Reads the list of a manifest's referrers; it is empty if the tag does not exist.
 *
 * @returns undefined if the tag names something else
 */
export async function readReferrersTag(
  reader: Pick<Reader, 'getTag'>,
  repository: string,
  subject: Digest,
  call: CallOptions,
): Promise<ReferrersTag | undefined> {
  const none: ReferrersTag = { at: null, list: { schemaVersion: 2, mediaType: mediaTypes.imageIndex } };
  try {
    const { descriptor, bytes } = await reader.getTag(repository, referrersTag(subject), call);
    const { digest, mediaType } = descriptor;
    // GitLab mistakes the tag for the subject's digest, as the two differ only in the colon.
    if (digest === subject) return none;
    const document = mediaType === mediaTypes.imageIndex ? documentOf(bytes, mediaType) : undefined;
    return document?.kind === 'index' ? { at: digest, list: document.manifest } : undefined;
  } catch (error) {
    if (isMissing(error)) return none;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/**
 * The entries that do refer to the subject, each described from its own manifest. The list itself proves nothing: any
 * client may push an index under that tag, and a client that does not know the tag deletes referrers without changing
 * the list.
 */
export async function* provenReferrers(
  reader: Pick<Reader, 'getManifest'>,
  repository: string,
  subject: Digest,
  entries: readonly Descriptor[],
  options: ReferrersOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  const { artifactType, signal, context } = options;
  const isCandidate = (entry: Descriptor): boolean =>
    artifactType === undefined || (entry.artifactType ?? '') === '' || entry.artifactType === artifactType;
  const candidates = entries.filter(isCandidate);
  const prove = async ({ digest }: Descriptor): Promise<Descriptor | undefined> => {
    try {
      const { descriptor, bytes } = await reader.getManifest(repository, digest, { signal, context });
      const document = documentOf(bytes, descriptor.mediaType);
      return document?.manifest.subject?.digest === subject ? referrerDescriptor(document, descriptor) : undefined;
    } catch (error) {
      // A deleted manifest refers to nothing.
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
  for (let at = 0; at < candidates.length; at += readAtOnce) {
    for (const found of await Promise.all(candidates.slice(at, at + readAtOnce).map(prove))) {
      if (found !== undefined && (artifactType === undefined || found.artifactType === artifactType)) yield found;
    }
  }
}

/**
 * Parses a manifest; undefined if its form is unknown here, though the registry has accepted it. It then has no
 * subject here.
 */
export function documentOf(bytes: Uint8Array, mediaType: string): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    return undefined;
  }
}
