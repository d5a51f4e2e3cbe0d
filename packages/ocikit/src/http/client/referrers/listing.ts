// Listing the referrers of a manifest.
import {
  HttpError,
  limit as atMost,
  mediaTypes,
  parseManifest,
  parseMediaType,
  untilAborted,
} from '../../../model/index.ts';
import type { Descriptor, Digest, Reader, ReferrersOptions } from '../../../model/index.ts';
import { repositoryScope } from '../../wire/index.ts';
import { referrersAddress } from '../shared/index.ts';
import { pagesOf } from '../transport/index.ts';
import type { Page, Transport } from '../transport/index.ts';

import { provenReferrers, readReferrersTag } from './tag-list.ts';

/**
 * The referrers of a manifest, sorted by digest. Distribution specification, "Listing Referrers"; "Referrers Tag
 * Schema" for a registry without an API for them.
 */
export async function* listReferrers(
  transport: Transport,
  reader: Pick<Reader, 'getManifest' | 'getTag'>,
  repository: string,
  digest: Digest,
  options: ReferrersOptions,
): AsyncGenerator<Descriptor, void, undefined> {
  const { startAfter = '', limit, signal } = options;
  const listed = await listByApi(transport, repository, digest, options);
  const found = listed ?? (await readReferrersTag(reader, repository, digest, options))?.list.manifests ?? [];
  const inOrder = [...new Map(found.map((descriptor) => [descriptor.digest, descriptor])).values()]
    .filter((descriptor) => descriptor.digest > startAfter)
    .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  const referring =
    listed === undefined ? provenReferrers(reader, repository, digest, inOrder, options) : iterate(inOrder);
  yield* atMost(untilAborted(referring, signal), limit);
}

async function* iterate<T>(items: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items;
}

/** @returns undefined if the registry does not have the API */
async function listByApi(
  transport: Transport,
  repository: string,
  digest: Digest,
  options: ReferrersOptions,
): Promise<Descriptor[] | undefined> {
  const { artifactType } = options;
  const pages = pagesOf(transport, {
    url: referrersAddress(transport.base, repository, digest, { artifactType }),
    scope: repositoryScope(repository, 'pull'),
    headers: { accept: mediaTypes.imageIndex },
    call: options,
  });
  const all: Descriptor[] = [];
  let isFirst = true;
  try {
    for await (const page of pages) {
      isFirst = false;
      const entries = entriesIn(transport, page);
      const wanted = artifactType === undefined || isFiltered(page) ? entries : entries.filter(isOfType(artifactType));
      all.push(...wanted);
    }
  } catch (error) {
    if (isFirst && isUnsupported(error)) return undefined;
    throw error;
  }
  return all;
}

/**
 * Whether the registry does not have the API. A 404 always says so, whatever its code: the API answers 200 about
 * unknown repositories and manifests. Some registries refuse the address in other ways.
 */
function isUnsupported(error: unknown): boolean {
  return error instanceof HttpError && ([404, 405, 501].includes(error.status) || error.code === 'UNSUPPORTED');
}

/** Whether the registry has filtered by type. The header is a list of names, which may grow. */
function isFiltered({ response }: Page): boolean {
  const applied = response.headers.get('oci-filters-applied')?.split(',') ?? [];
  return applied.some((name) => name.trim() === 'artifactType');
}

function isOfType(artifactType: string): (descriptor: Descriptor) => boolean {
  return (descriptor) => descriptor.artifactType === artifactType;
}

/** @throws RegistryError UNKNOWN if the page is no index */
function entriesIn(transport: Transport, { response, body }: Page): readonly Descriptor[] {
  const said = parseMediaType(response.headers.get('content-type') ?? '') ?? mediaTypes.imageIndex;
  // Quay says only that the page is JSON.
  if (said !== mediaTypes.imageIndex && said !== 'application/json') {
    throw transport.wrongResponse(response, `is ${said}, not an image index`);
  }
  try {
    const document = parseManifest(new TextEncoder().encode(JSON.stringify(body)), mediaTypes.imageIndex);
    return document.kind === 'index' ? (document.manifest.manifests ?? []) : [];
  } catch (error) {
    throw transport.wrongResponse(response, `is no image index: ${error instanceof Error ? error.message : ''}`);
  }
}
