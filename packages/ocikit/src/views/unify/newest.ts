import { isRegistryError, maintenanceOf, parseManifestInTurn } from '../../model/index.ts';
import type { CallOptions, Descriptor, Manifest, Registry } from '../../model/index.ts';

import type { Member } from './member.ts';
import { findStored } from './stored.ts';

/** Where a tag is, and who has it there. */
export interface FoundTag {
  readonly descriptor: Descriptor;
  readonly members: readonly Member[];
}

/** Image specification, "Pre-Defined Annotation Keys". */
const createdAnnotation = 'org.opencontainers.image.created';

/** Bytes of a config that is read for its date. */
const largestConfig = 4 * 1024 * 1024;

/**
 * The newest of several manifests: the one that was stored last, if all members say when that was, or else the one that was
 * built last, if all manifests say it themselves. The two are not compared with each other, and nothing is guessed.
 *
 * @returns undefined if it cannot be known, or two are equally new
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

/** When it came to the first of those that have it: what was copied later is no newer. */
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

/** What the manifest says of itself, or an image's config of the image. */
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
      // The next one may be asked; a manifest that is none says nothing, whoever is asked.
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

/** RFC 3339, section 5.6. What builds that can be repeated write, 1970 or the year 1, is no time. */
function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !timePattern.test(text)) return undefined;
  const time = Date.parse(text);
  return time > 0 ? time : undefined;
}
