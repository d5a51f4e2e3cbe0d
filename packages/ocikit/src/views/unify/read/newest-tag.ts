// Finds the newest of several manifests that members have for a tag.
import { isRegistryError, maintenanceOf, parseManifestInTurn } from '../../../model/index.ts';
import type { CallOptions, Descriptor, Manifest, Registry } from '../../../model/index.ts';

import type { Member } from '../members/index.ts';
import { findStored } from '../members/index.ts';

/** A manifest of a tag, and the members that have the tag there. */
export interface FoundTag {
  /** The manifest's descriptor. */
  readonly descriptor: Descriptor;
  /** The members whose tag points to it. */
  readonly members: readonly Member[];
}

/** Image specification, "Pre-Defined Annotation Keys". */
const createdAnnotation = 'org.opencontainers.image.created';

/** Bytes of the largest config that is read for its date. */
const largestConfig = 4 * 1024 * 1024;

/**
 * The newest of several manifests. If all members know the time of storing, it is the manifest stored last. If not, and
 * all manifests have a time of building, it is the manifest built last. The two kinds of time are never compared.
 *
 * @returns undefined if times are missing, or two are equally new
 */
export async function newestOf(
  found: readonly FoundTag[],
  repository: string,
  options: CallOptions,
): Promise<FoundTag | undefined> {
  const { signal, context } = options;
  const call = { signal, context };
  const stored = await latest(found, (place) => storedAt(place, repository, call));
  return stored ?? latest(found, (place) => builtAt(place, repository, call));
}

async function latest(
  found: readonly FoundTag[],
  timeOf: (place: FoundTag) => Promise<number | undefined>,
): Promise<FoundTag | undefined> {
  let newest: { place: FoundTag; time: number } | undefined;
  let isOnlyOne = false;
  for (const place of found) {
    const time = await timeOf(place);
    if (time === undefined) return undefined;
    if (newest !== undefined && time < newest.time) continue;
    isOnlyOne = time !== newest?.time;
    newest = { place, time };
  }
  return isOnlyOne ? newest?.place : undefined;
}

/** The time at which the first of its members stored the manifest: a later copy is no newer. */
async function storedAt(
  { descriptor, members }: FoundTag,
  repository: string,
  call: CallOptions,
): Promise<number | undefined> {
  const times: number[] = [];
  for (const { registry } of members) {
    const maintenance = maintenanceOf(registry);
    if (maintenance === undefined) return undefined;
    const list = maintenance.manifests.bind(maintenance);
    const stored = await findStored(list, repository, descriptor.digest, call);
    if (stored === undefined) return undefined;
    times.push(stored.createdAt.getTime());
  }
  return Math.min(...times);
}

/** The time of building, from the manifest's annotation or the image's config. */
async function builtAt(
  { descriptor, members }: FoundTag,
  repository: string,
  call: CallOptions,
): Promise<number | undefined> {
  for (const { registry } of members) {
    try {
      const manifest = await registry.getManifest(repository, descriptor.digest, call);
      return await timeIn(registry, repository, manifest, call);
    } catch (error) {
      call.signal?.throwIfAborted();
      // Ask the next member. If the manifest is malformed, no member gives a time.
      if (!isRegistryError(error)) throw error;
    }
  }
  return undefined;
}

async function timeIn(
  registry: Registry,
  repository: string,
  { bytes, descriptor }: Manifest,
  call: CallOptions,
): Promise<number | undefined> {
  const document = await parseManifestInTurn(bytes, descriptor.mediaType);
  const said = parseTime(document.manifest.annotations?.[createdAnnotation]);
  if (said !== undefined || document.kind !== 'image') return said;
  const { digest, size } = document.manifest.config;
  if (size > largestConfig) return undefined;
  const config = await registry.getBlob(repository, digest, call);
  return createdIn(await config.bytes(largestConfig));
}

/** Image specification, "Image Configuration": `created`. */
function createdIn(config: Uint8Array): number | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(config));
    return typeof value === 'object' && value !== null && 'created' in value ? parseTime(value.created) : undefined;
  } catch {
    return undefined; // Any bytes can be a config.
  }
}

const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;

/** RFC 3339, section 5.6. Reproducible builds write 1970 or the year 1: that is no time of building. */
function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !timePattern.test(text)) return undefined;
  const time = Date.parse(text);
  return time > 0 ? time : undefined;
}
