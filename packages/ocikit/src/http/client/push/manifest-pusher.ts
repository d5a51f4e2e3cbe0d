import {
  assertRepository,
  assertTag,
  digestOf,
  isDigest,
  isRegistryError,
  parseDigest,
  parseMediaType,
  RegistryError,
  splitDigest,
  wrongDigest,
} from '../../../model/index.ts';
import type { CallOptions, PushManifestOptions, Reader, Writer } from '../../../model/index.ts';

import { putManifest } from '../manifests/index.ts';
import type { PushedBytes } from '../manifests/index.ts';
import type { ReferrersListings } from '../referrers/index.ts';
import { referrersTagsOf } from '../referrers/index.ts';
import type { Answer } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

/**
 * Pushes manifests. Several tags go in one request, and one by one to a registry that does not know how to do that. Where there is no
 * API for referrers, they are listed under a tag, which this keeps. Distribution specification, "Pushing Manifests".
 */
export function manifestPusher(
  transport: Transport,
  reader: Pick<Reader, 'resolveTag' | 'getTag' | 'getManifest'>,
  listings: ReferrersListings,
): Writer['pushManifest'] {
  const referrersTags = referrersTagsOf(transport, reader, listings);

  /** Once more, if the answer to a request with a condition was lost: it may have been done. */
  const putUnderCondition = async (
    manifest: PushedBytes,
    named: readonly (string | undefined)[],
    ifTag: PushManifestOptions['ifTag'],
    call: CallOptions,
  ): Promise<Answer> => {
    let lost = false;
    return transport.attempt(call, async () => {
      try {
        return await putManifest(transport, manifest, named, ifTag, call);
      } catch (error) {
        const tags = named.filter((tag) => tag !== undefined);
        if (lost && isRegistryError(error, 'PRECONDITION_FAILED') && (await areAt(manifest, tags, call))) {
          return putManifest(transport, manifest, [undefined], undefined, call);
        }
        lost ||= !isRegistryError(error) || error.status >= 500;
        throw error;
      }
    });
  };

  const areAt = async (
    { repository, digest }: PushedBytes,
    tags: readonly string[],
    call: CallOptions,
  ): Promise<boolean> => {
    for (const tag of tags) {
      const found = await reader.resolveTag(repository, tag, call).catch(() => undefined);
      if (found?.digest !== digest) return false;
    }
    return true;
  };

  /** Sets all tags, in as few requests as the registry needs. @returns the answer that speaks of the manifest */
  const putTagged = async (
    manifest: PushedBytes,
    tags: readonly string[],
    ifTag: PushManifestOptions['ifTag'],
    call: CallOptions,
  ): Promise<Answer> => {
    // Named by a tag, a manifest has the registry's own choice of a digest.
    const named = splitDigest(manifest.digest).algorithm === 'sha256' && tags.length > 0 ? tags : [undefined, ...tags];
    const set = new Set<string | undefined>([named[0]]);
    let first: Answer | undefined;
    try {
      first = await putUnderCondition(manifest, named, ifTag, call);
      for (const tag of (first.headers.get('oci-tag') ?? '').split(',')) set.add(tag.trim());
    } catch (error) {
      if (named.length === 1 || ifTag !== undefined || !refusesParameters(error)) throw error;
      set.clear();
    }
    for (const tag of named) {
      if (set.has(tag)) continue;
      const answer = await putUnderCondition(manifest, [tag], ifTag, call);
      first ??= answer;
    }
    if (first === undefined) throw new RegistryError('UNKNOWN', 'nothing was sent');
    return first;
  };

  return async (repository, bytes, mediaType, options = {}) => {
    const { digest: wanted, tags = [], ifTag, ...call } = options;
    call.signal?.throwIfAborted();
    assertRepository(repository);
    const digest = digestOf(bytes, wanted === undefined ? undefined : splitDigest(parseDigest(wanted)).algorithm);
    if (wanted !== undefined && wanted !== digest) throw wrongDigest(wanted, digest);
    tags.forEach(assertTag);
    const type = parseMediaType(mediaType);
    if (type === undefined) {
      throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${JSON.stringify(mediaType)} is not a media type`);
    }
    const unique = [...new Set(tags)];
    const manifest = { repository, bytes, mediaType: type, digest };
    const answer = await putTagged(manifest, unique, ifTag, call);
    const said = answer.headers.get('oci-subject');
    const subject = said === null ? await referrersTags.add(manifest, call) : said;
    if (said !== null) listings.learn(repository, 'api');
    const descriptor = { mediaType: type, digest, size: bytes.length };
    call.onEvent?.({ type: 'done', repository, digest, size: bytes.length });
    return { descriptor, tags: unique, ...(subject !== undefined && isDigest(subject) ? { subject } : {}) };
  };
}

/** A query that is too long, or that a registry does not want; nothing that is said of the manifest. */
function refusesParameters(error: unknown): boolean {
  return (
    isRegistryError(error, 'BAD_REQUEST', 'UNSUPPORTED', 'HEADERS_TOO_LARGE') ||
    (isRegistryError(error) && error.status === 414)
  );
}
