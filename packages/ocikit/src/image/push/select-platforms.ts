// Leaves entries of an index out: those of other platforms, or those that the source does not have.
import { formatPlatform, hasUrls, isManifestMediaType, isRegistryError, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest, Platform } from '../../model/index.ts';

import type { ImageSource } from '../content/index.ts';
import { assertPlatforms, normalizePlatform } from '../platform/index.ts';
import { asIndex, blobsOf, createRef, platformOf } from '../ref/index.ts';
import type { Index, Ref } from '../ref/index.ts';

/** The entries of an index to keep: all, those whose content the source has, or those of these platforms. */
export type PlatformSelection = 'all' | 'present' | readonly Platform[];

/** The annotation with which buildkit's attestations name the image that they are about. */
const aboutAnnotation = 'vnd.docker.reference.digest';

/**
 * Gives an index without the entries that are not selected. It has another digest, unless all entries stay. An
 * attestation stays with its image.
 *
 * @throws RegistryError MANIFEST_UNKNOWN if no entry is left, or none is for one of the platforms; UNSUPPORTED if the
 * selection is none
 */
export async function selectPlatforms(
  ref: Ref,
  selection: PlatformSelection,
  depth: number,
  call: CallOptions,
): Promise<Ref> {
  if (selection !== 'all' && selection !== 'present') assertPlatforms(selection, "'all', 'present', or ");
  if (ref.kind === 'image' || selection === 'all') return ref;
  const found = new Set<Platform>();
  const selected = await selectIn(ref, selection, depth, { call, found });
  const missing = selection === 'present' ? [] : selection.filter((platform) => !found.has(platform));
  if (selected !== undefined && missing.length === 0) return selected;
  const { digest } = ref.descriptor;
  const wanted = missing.map(formatPlatform).join(', ');
  throw new RegistryError(
    'MANIFEST_UNKNOWN',
    selection === 'present'
      ? `the source has no image of the index ${digest}`
      : `the index ${digest} has no entry for ${wanted}: it has ${platformsOf(ref)}`,
  );
}

interface Selecting {
  call: CallOptions;
  /** The platforms that had an entry. */
  found: Set<Platform>;
}

/** @returns undefined if no entry is left of an index that had some */
async function selectIn(
  index: Index,
  selection: Exclude<PlatformSelection, 'all'>,
  depth: number,
  selecting: Selecting,
): Promise<Index | undefined> {
  const { call, found } = selecting;
  const chosen = new Map<Descriptor, Descriptor>();
  const left = new Set<string>();
  const refs = new Map<Digest, Ref>();
  for (const entry of index.manifests) {
    if (!isManifestMediaType(entry.mediaType)) {
      if (selection !== 'present' || (await hasBlobs(index, [entry], call))) chosen.set(entry, entry);
      continue;
    }
    let wanted = selection === 'present' ? undefined : wantedBy(selection, entry.platform, entry);
    const isWanted = wanted === undefined || wanted.length > 0;
    // An attestation may be missing, and an entry that does not name its platform.
    const mayLack = selection === 'present' || wanted === undefined;
    let child = isWanted ? await childOf(index, entry, selection, mayLack, call) : undefined;
    if (selection !== 'present' && wanted === undefined && child?.kind === 'image') {
      wanted = wantedBy(selection, await platformOf(child, call), entry);
      if (wanted?.length === 0) child = undefined;
    }
    for (const platform of wanted ?? []) found.add(platform);
    const ref = child?.kind === 'index' && depth > 0 ? await selectIn(child, selection, depth - 1, selecting) : child;
    if (ref === undefined) {
      left.add(entry.digest);
      continue;
    }
    refs.set(ref.descriptor.digest, ref);
    chosen.set(entry, { ...entry, digest: ref.descriptor.digest, size: ref.descriptor.size });
  }
  for (const entry of chosen.keys()) {
    const about = entry.annotations?.[aboutAnnotation];
    if (about !== undefined && left.has(about)) chosen.delete(entry);
  }
  if (chosen.size === 0 && index.manifests.length > 0) return undefined;
  const isSame = chosen.size === index.manifests.length && [...chosen].every(([a, b]) => a.digest === b.digest);
  return isSame ? index : reduced(index, [...chosen.values()], refs);
}

function isAttestation({ annotations }: Descriptor): boolean {
  return annotations?.[aboutAnnotation] !== undefined;
}

/** The selected platforms that an entry is for; undefined if it is for none, as a nested index or an attestation. */
function wantedBy(
  selection: readonly Platform[],
  platform: Platform | undefined,
  entry: Descriptor,
): Platform[] | undefined {
  if (platform === undefined || isAttestation(entry)) return undefined;
  const has = normalizePlatform(platform);
  return selection.filter((each) => {
    const wanted = normalizePlatform(each);
    const isVersion = wanted['os.version'] === undefined || wanted['os.version'] === has['os.version'];
    return (
      wanted.os === has.os && wanted.architecture === has.architecture && wanted.variant === has.variant && isVersion
    );
  });
}

/**
 * @param mayLack whether its content need not be there
 * @returns undefined if it is not there
 */
async function childOf(
  index: Index,
  entry: Descriptor,
  selection: PlatformSelection,
  mayLack: boolean,
  call: CallOptions,
): Promise<Ref | undefined> {
  try {
    const child = await index.child(entry, call);
    // The layers of an image that may be wanted are looked for when it is pushed.
    const isChecked = mayLack && child.kind === 'image' && (selection === 'present' || isAttestation(entry));
    return !isChecked || (await hasBlobs(child, blobsOf(child), call)) ? child : undefined;
  } catch (error) {
    if (mayLack && isMissing(error)) return undefined;
    throw error;
  }
}

/** Whether the source has these blobs. Blobs with URLs need not be there. */
async function hasBlobs(ref: Ref, blobs: readonly Descriptor[], { signal }: CallOptions): Promise<boolean> {
  for (const blob of blobs) {
    if (hasUrls(blob)) continue;
    try {
      const content = await ref.openBlob(blob, { signal });
      await content.cancel();
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }
  return true;
}

/** Whether an error says that the source does not have some content. */
export function isMissing(error: unknown): error is RegistryError {
  return isRegistryError(error, 'MANIFEST_UNKNOWN', 'BLOB_UNKNOWN', 'NOT_FOUND');
}

function reduced(index: Index, manifests: readonly Descriptor[], refs: ReadonlyMap<Digest, Ref>): Index {
  const { source, manifest, descriptor } = index;
  const bytes = new TextEncoder().encode(JSON.stringify({ ...manifest, manifests }));
  const own: ImageSource = {
    openBlob: (blob, options) => source.openBlob(blob, options),
    getManifest: async (entry, options) => {
      const ref = refs.get(entry.digest);
      return ref === undefined ? source.getManifest(entry, options) : { descriptor: ref.descriptor, bytes: ref.bytes };
    },
    // An index that was reduced itself has the content of its entries.
    sourceOf: (entry) => {
      const ref = refs.get(entry.digest);
      return ref?.kind === 'index' ? withManifest(ref) : source.sourceOf?.(entry);
    },
  };
  return asIndex(createRef({ bytes, mediaType: descriptor.mediaType, source: own }));
}

/** The source of a ref's content, with its own manifest. */
function withManifest({ source, descriptor, bytes }: Ref): ImageSource {
  return {
    ...source,
    getManifest: async (entry, options) =>
      entry.digest === descriptor.digest ? { descriptor, bytes } : source.getManifest(entry, options),
  };
}

function platformsOf({ manifests }: Index): string {
  const named = manifests.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]));
  return named.length === 0 ? 'none that names a platform' : [...new Set(named)].slice(0, 20).join(', ');
}
