import {
  HttpError,
  limit as atMost,
  linksOf,
  mediaTypes,
  parseManifest,
  parseMediaType,
  untilAborted,
} from '../../../model/index.ts';
import type { Descriptor, Digest, Lister, Reader, ReferrersOptions } from '../../../model/index.ts';

import { referrersAddress } from '../shared/index.ts';
import { repositoryScope } from '../../wire/index.ts';
import { pagesOf } from '../transport/index.ts';
import type { Page, Transport } from '../transport/index.ts';
import { provenReferrers, readReferrersTag } from './tag-list.ts';

type ManifestReader = Pick<Reader, 'getManifest' | 'getTag'>;

/** Distribution specification, "Listing Referrers", and where a registry has no API for them, "Referrers Tag Schema". */
export function clientReferrers(transport: Transport, reader: ManifestReader): Lister['referrers'] {
  return async function* referrers(repository, digest, options = {}) {
    const { startAfter = '', limit, signal } = options;
    const listed = await listReferrers(transport, repository, digest, options);
    const found = listed ?? (await readReferrersTag(reader, repository, digest, options))?.list.manifests ?? [];
    const inOrder = [...new Map(found.map((descriptor) => [descriptor.digest, descriptor])).values()]
      .filter((descriptor) => descriptor.digest > startAfter)
      .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    const referring =
      listed === undefined ? provenReferrers(reader, repository, digest, inOrder, options) : iterate(inOrder);
    yield* atMost(untilAborted(referring, signal), limit);
  };
}

async function* iterate<T>(items: Iterable<T>): AsyncGenerator<T, void, undefined> {
  yield* items;
}

/** @returns undefined if the registry does not have the API */
async function listReferrers(
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
 * Whatever else a 404 says: the API knows no unknown repository or manifest. Some registries know no such address, and
 * say that in other ways.
 */
function isUnsupported(error: unknown): boolean {
  return error instanceof HttpError && ([404, 405, 501].includes(error.status) || error.code === 'UNSUPPORTED');
}

/** A list of names, in which there may be others one day. */
function isFiltered({ answer }: Page): boolean {
  const applied = answer.headers.get('oci-filters-applied')?.split(',') ?? [];
  return applied.some((name) => name.trim() === 'artifactType');
}

function isOfType(artifactType: string): (descriptor: Descriptor) => boolean {
  return (descriptor) => descriptor.artifactType === artifactType;
}

/** @throws RegistryError UNKNOWN if the page is no index */
function entriesIn(transport: Transport, { answer, body }: Page): readonly Descriptor[] {
  const said = parseMediaType(answer.headers.get('content-type') ?? '') ?? mediaTypes.imageIndex;
  // Quay, for one, says only that it is JSON.
  if (said !== mediaTypes.imageIndex && said !== 'application/json') {
    throw transport.wrongAnswer(answer, `is ${said}, not an image index`);
  }
  try {
    const document = parseManifest(new TextEncoder().encode(JSON.stringify(body)), mediaTypes.imageIndex);
    return linksOf(document).manifests;
  } catch (error) {
    throw transport.wrongAnswer(answer, `is no image index: ${error instanceof Error ? error.message : ''}`);
  }
}
