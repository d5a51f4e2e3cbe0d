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

/** Manifests that are looked into at a time. */
const lookedInto = 8;

/** The list of a manifest's referrers where it is kept under a tag, and the digest at which the tag is; null if there is none. */
interface ReferrersTag {
  readonly at: Digest | null;
  readonly list: ImageIndex;
}

/** @returns undefined if the tag names something else */
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
    // GitLab takes the tag for the subject itself, as their names are the same but for the colon.
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
 * Those that really refer to the subject, described by what they say themselves. Anybody may have pushed an index under that
 * tag, and clients that do not know of it delete referrers without changing it.
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
  const look = async ({ digest }: Descriptor): Promise<Descriptor | undefined> => {
    try {
      const { descriptor, bytes } = await reader.getManifest(repository, digest, { signal, context });
      const document = documentOf(bytes, descriptor.mediaType);
      return document?.manifest.subject?.digest === subject ? referrerDescriptor(document, descriptor) : undefined;
    } catch (error) {
      // What is gone refers to nothing.
      if (isMissing(error)) return undefined;
      throw error;
    }
  };
  for (let at = 0; at < candidates.length; at += lookedInto) {
    for (const found of await Promise.all(candidates.slice(at, at + lookedInto).map(look))) {
      if (found !== undefined && (artifactType === undefined || found.artifactType === artifactType)) yield found;
    }
  }
}

/** A registry may take what this does not know: undefined. It then has no subject here. */
export function documentOf(bytes: Uint8Array, mediaType: string): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, mediaType);
  } catch {
    return undefined;
  }
}
