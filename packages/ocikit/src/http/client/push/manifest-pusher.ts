// Pushing manifests and their tags.
import {
  assertRepository,
  assertTag,
  conditionOn,
  digestOf,
  isDigest,
  isRegistryError,
  parseDigest,
  parseMediaType,
  RegistryError,
  splitDigest,
  wrongDigest,
} from '../../../model/index.ts';
import type { CallOptions, Digest, Reader, TagCondition, Writer } from '../../../model/index.ts';

import { loadTagConditions, putManifest } from '../manifests/index.ts';
import type { PushedBytes } from '../manifests/index.ts';
import { referrersTagsOf } from '../referrers/index.ts';
import type { ReferrersListings } from '../referrers/index.ts';
import type { ClientOptions, ClientResponse } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

/** The registries that do not set several tags in one request. */
const separate = new WeakSet<Transport>();

/**
 * Pushes manifests. Several tags go in one request; a registry that does not support it gets one request for each. If
 * a registry has no API for referrers, this adds the manifest to their list under a tag. Distribution specification,
 * "Pushing Manifests".
 */
export function manifestPusher(
  transport: Transport,
  reader: Pick<Reader, 'getManifest' | 'getTag' | 'resolveTag'>,
  listings: ReferrersListings,
  { tagConditions }: Pick<ClientOptions, 'tagConditions'> = {},
): Writer['pushManifest'] {
  const isAtomic = tagConditions === 'atomic';
  const referrersTags = referrersTagsOf(transport, reader, listings);

  /**
   * Sends a request again if the answer to it was lost. A condition may then fail because the first request has
   * succeeded.
   */
  const putUnderCondition = async (
    manifest: PushedBytes,
    named: readonly (string | undefined)[],
    ifTag: Expected,
    call: CallOptions,
  ): Promise<ClientResponse> => {
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

  /** Sets all tags, in as few requests as the registry needs. @returns the response that is about the manifest */
  const putTagged = async (
    manifest: PushedBytes,
    tags: readonly string[],
    ifTag: Expected,
    call: CallOptions,
  ): Promise<ClientResponse> => {
    // For a manifest named by a tag, the registry itself chooses the algorithm of the digest.
    const oneByOne =
      splitDigest(manifest.digest).algorithm === 'sha256' && tags.length > 0 ? tags : [undefined, ...tags];
    // The parameter `tag` belongs to a push by digest. Distribution specification, "Pushing Manifests with tags".
    const together = oneByOne.length > 1 && !separate.has(transport) ? [undefined, ...tags] : undefined;
    const set = new Set<string | undefined>();
    let first: ClientResponse | undefined;
    let isRefused = false;
    if (together !== undefined) {
      try {
        first = await putUnderCondition(manifest, together, ifTag, call);
        const said = first.headers.get('oci-tag');
        if (said === null) separate.add(transport);
        for (const tag of (said ?? '').split(',')) set.add(tag.trim());
        set.add(undefined);
      } catch (error) {
        if (!refusesParameters(error)) throw error;
        isRefused = true;
      }
    }
    const rest = oneByOne.filter((tag) => !set.has(tag));
    if (isAtomic && ifTag !== undefined && tags.length > 1 && rest.length > 0) {
      throw (await loadTagConditions(call.signal)).notAtomic(transport);
    }
    for (const tag of rest) {
      const response = await putUnderCondition(manifest, [tag], ifTag, call);
      first ??= response;
    }
    if (isRefused) separate.add(transport);
    if (first === undefined)
      throw new RegistryError('UNKNOWN', `no request was sent for the manifest ${manifest.digest}`);
    return first;
  };

  /** Sets all tags if the condition holds, as far as the registry lets a client know. */
  const putConditionally = async (
    manifest: PushedBytes,
    tags: readonly string[],
    ifTag: TagCondition | undefined,
    call: CallOptions,
  ): Promise<ClientResponse> => {
    const [expected, ...others] = new Set(tags.map((tag) => conditionOn(tag, ifTag)));
    if (ifTag === undefined || (expected === undefined && others.length === 0)) {
      return putTagged(manifest, tags, undefined, call);
    }
    const { assertAtomicPush, assertPushed, assertTags, notAtomic } = await loadTagConditions(call.signal);
    const putIf = (digest: Digest): Promise<ClientResponse> =>
      putManifest(transport, manifest, [undefined], digest, call);
    if (!isAtomic) await assertTags(reader, { repository: manifest.repository, tags, ifTag }, call);
    else if (others.length > 0) throw notAtomic(transport);
    else await assertAtomicPush(transport, putIf);
    // A request has one condition for all of its tags.
    const response = await putTagged(manifest, tags, others.length === 0 ? expected : undefined, call);
    if (!isAtomic) await assertPushed(reader, manifest, tags, call, putIf);
    return response;
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
    const response = await putConditionally(manifest, unique, ifTag, call);
    const said = response.headers.get('oci-subject');
    const subject = said === null ? await referrersTags.add(manifest, call) : said;
    if (said !== null) listings.learn(repository, 'api');
    const descriptor = { mediaType: type, digest, size: bytes.length };
    call.onEvent?.({ type: 'done', repository, digest, size: bytes.length });
    return { descriptor, tags: unique, ...(subject !== undefined && isDigest(subject) ? { subject } : {}) };
  };
}

/** The condition on all tags of one request. */
type Expected = Digest | null | undefined;

/**
 * Whether the registry may have refused the query, and not the manifest: zot calls the manifest invalid. If the
 * manifest is at fault, a request with one tag is refused as well.
 */
function refusesParameters(error: unknown): boolean {
  return (
    isRegistryError(error, 'BAD_REQUEST', 'UNSUPPORTED', 'HEADERS_TOO_LARGE') ||
    (isRegistryError(error) && [400, 405, 414, 422, 501].includes(error.status))
  );
}
