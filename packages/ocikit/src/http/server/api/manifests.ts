// Manifests: pulling, pushing and deleting them, by tag or by digest.
import {
  assertStrictMediaTypes,
  assertTag,
  isRegistryError,
  manifestMediaType,
  manifestMediaTypes,
  mediaTypes,
  parseDigest,
  parseJson,
  parseManifestInTurn,
  parseMediaType,
  RegistryError,
} from '../../../model/index.ts';
import type { Descriptor, Digest, Manifest, TagCondition } from '../../../model/index.ts';
import { accepts, buildPath, formatEntityTag } from '../../wire/index.ts';
import { bodyTooLarge } from '../receiving/index.ts';
import { empty, redirect } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import { contentLength } from './api-request.ts';
import type { ApiRequest, ResourceOf } from './api-request.ts';
import { assertWriteConditions, conditionOfRead, currentDigest, isConditional } from './conditions.ts';
import { locationOf, mayBeElsewhere } from './content-locations.ts';

type ManifestRequest = ApiRequest<ResourceOf<'manifest'>>;

/** A reference with a colon is a digest, as a tag cannot have a colon. */
type ManifestReference = { digest: Digest; tag?: undefined } | { digest?: undefined; tag: string };

function referenceOf({ route }: ManifestRequest): ManifestReference {
  if (route.reference.includes(':')) return { digest: parseDigest(route.reference) };
  assertTag(route.reference);
  return { tag: route.reference };
}

/** GET: sends a manifest. Distribution specification, "Pulling manifests". */
export async function getManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, call, options } = request;
  const reference = referenceOf(request);
  const { descriptor, bytes }: Manifest =
    reference.tag === undefined
      ? await registry.getManifest(route.repository, reference.digest, call)
      : await registry.getTag(route.repository, reference.tag, call);
  const reply = await manifestReply(request, descriptor);
  if (reply.status === 200) reply.body = bytes;
  if (reference.tag !== undefined && options.omitDigestFromTagGetResponse === true) {
    delete reply.headers['Docker-Content-Digest'];
  }
  return reply;
}

/** HEAD: describes a manifest. */
export async function headManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, call } = request;
  const reference = referenceOf(request);
  const descriptor =
    reference.tag === undefined
      ? await registry.resolveManifest(route.repository, reference.digest, call)
      : await registry.resolveTag(route.repository, reference.tag, call);
  return manifestReply(request, descriptor);
}

function manifestReply(request: ManifestRequest, descriptor: Descriptor): Reply | Promise<Reply> {
  if (!mayBeElsewhere(request.options, descriptor)) return ownReply(request, descriptor);
  return locationOf(request.options, true, descriptor).then((location) =>
    location === undefined ? ownReply(request, descriptor) : redirect(location, 307, validators(descriptor)),
  );
}

function validators({ digest }: Descriptor): Reply['headers'] {
  return { ETag: formatEntityTag(digest), 'Docker-Content-Digest': digest };
}

/** Builds the reply for a manifest that this server sends itself. */
function ownReply({ exchange }: ManifestRequest, descriptor: Descriptor): Reply {
  const { digest, size } = descriptor;
  const mediaType = manifestMediaType(descriptor.mediaType);
  const headers = validators(descriptor);
  const accept = exchange.header('accept');
  if (!accepts(accept, mediaType)) {
    throw new RegistryError(
      'NOT_ACCEPTABLE',
      `the manifest has the type ${mediaType}, which the Accept header does not list`,
      {
        detail: { mediaType, accept },
      },
    );
  }
  const notModified = conditionOfRead(exchange, digest, headers);
  if (notModified !== undefined) return notModified;
  headers['Content-Type'] = mediaType;
  headers['Content-Length'] = `${size}`;
  return { status: 200, headers };
}

/** PUT: stores a manifest. `tag=` parameters name further tags. Distribution specification, "Pushing Manifests". */
export async function putManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, query, limits, call, options, exchange } = request;
  const reference = referenceOf(request);
  const tags = tagsOf(reference, query, limits.tagsPerPush);
  const length = contentLength(request);
  if ((length ?? 0) > limits.manifestSize) throw bodyTooLarge(limits.manifestSize);
  // The memory of the body is charged until it is stored.
  const pushed = await request.receive(length, async (body) => {
    const bytes = await body.whole(limits.manifestSize);
    const said = mediaTypeOf(exchange.header('content-type'), bytes);
    const pushOptions = { ...call, digest: reference.digest, tags, ifTag: await conditionOf(request, reference, tags) };
    try {
      const mediaType = manifestMediaType(said);
      if (options.strictMediaTypes === true) assertStrictMediaTypes(await parseManifestInTurn(bytes, mediaType));
      return await registry.pushManifest(route.repository, bytes, mediaType, pushOptions);
    } catch (error) {
      throw isRegistryError(error, 'UNSUPPORTED_MEDIA_TYPE') ? notManifest(said, error) : error;
    }
  });

  const { digest } = pushed.descriptor;
  const elsewhere = await locationOf(options, true, pushed.descriptor);
  const headers: Reply['headers'] = {
    Location: elsewhere ?? buildPath({ resource: 'manifest', repository: route.repository, reference: digest }),
    'Docker-Content-Digest': digest,
    ETag: formatEntityTag(digest),
  };
  if (pushed.tags.length > 0) headers['OCI-Tag'] = [...pushed.tags];
  if (pushed.subject !== undefined && options.disableReferrersApi !== true) headers['OCI-Subject'] = pushed.subject;
  return empty(201, headers);
}

/**
 * Returns the tags that a push sets, each once.
 *
 * @throws RegistryError URI_TOO_LONG for more tags than `limit`; MANIFEST_INVALID for a malformed one
 */
function tagsOf({ tag }: ManifestReference, query: URLSearchParams, limit: number): string[] {
  const given = query.getAll('tag');
  if (given.length === 0) return tag === undefined ? [] : [tag];
  const tags = [...new Set(tag === undefined ? given : [tag, ...given])];
  if (tags.length > limit) {
    throw new RegistryError(
      'URI_TOO_LONG',
      `a push may set at most ${limit} tags and this one sets ${tags.length}; set the other ones with further pushes`,
      { detail: { limit } },
    );
  }
  tags.forEach(assertTag);
  return tags;
}

/** DELETE: removes a tag or a manifest. Distribution specification, "Deleting tags", "Deleting Manifests". */
export async function deleteManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, call } = request;
  const reference = referenceOf(request);
  if (reference.tag === undefined) {
    await digestCondition(request, reference.digest);
    await registry.deleteManifest(route.repository, reference.digest, call);
  } else {
    const found = await tagCondition(request, [reference.tag]);
    const ifTag = found?.get(reference.tag) ?? undefined;
    await registry.deleteTag(route.repository, reference.tag, { ...call, ifTag });
  }
  return empty(202, {});
}

/** Returns the type of a pushed manifest: of `Content-Type`, else of its `mediaType`, else that of an image. */
function mediaTypeOf(contentType: string | undefined, bytes: Uint8Array): string {
  const isGiven = contentType !== undefined && contentType !== '';
  const mediaType = isGiven ? parseMediaType(contentType) : (mediaTypeIn(bytes) ?? mediaTypes.imageManifest);
  if (mediaType === undefined) {
    throw new RegistryError('MANIFEST_INVALID', `Content-Type ${JSON.stringify(contentType)} is not a media type`);
  }
  return mediaType;
}

/** Names the type that the client sent, in place of the one under which it would have been stored. */
function notManifest(said: string, cause: RegistryError): RegistryError {
  if (manifestMediaType(said) === said) return cause;
  const message = `${JSON.stringify(said)} is not the media type of a manifest: use one of ${manifestMediaTypes.join(', ')}`;
  return new RegistryError('UNSUPPORTED_MEDIA_TYPE', message, { cause });
}

function mediaTypeIn(bytes: Uint8Array): string | undefined {
  try {
    const value = parseJson(bytes);
    const mediaType = typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined;
    return typeof mediaType === 'string' ? parseMediaType(mediaType) : undefined;
  } catch {
    return undefined; // The registry validates the manifest and reports the problem.
  }
}

/** Judges the conditions of a push: on its tags, or on the manifest itself if the request sets no tag. */
function conditionOf(
  request: ManifestRequest,
  reference: ManifestReference,
  tags: readonly string[],
): Promise<TagCondition | undefined> {
  if (tags.length > 0) return tagCondition(request, tags);
  return reference.digest === undefined ? Promise.resolve(undefined) : digestCondition(request, reference.digest);
}

/**
 * Turns `If-Match` and `If-None-Match` on tags into the registry's own condition, which is atomic. RFC 9110, section
 * 13.
 *
 * @returns the digest that each tag must have, null if it must not exist; undefined without a condition
 */
async function tagCondition(
  request: ManifestRequest,
  tags: readonly string[],
): Promise<ReadonlyMap<string, Digest | null> | undefined> {
  const { exchange, registry, route, call } = request;
  if (!isConditional(exchange)) return undefined;
  const found = new Map<string, Digest | null>();
  for (const tag of tags) {
    const current = await currentDigest(() => registry.resolveTag(route.repository, tag, call));
    assertWriteConditions(exchange, current, `tag ${tag}`);
    found.set(tag, current ?? null);
  }
  return found;
}

/**
 * Judges the conditions on a manifest by its digest. Its content cannot change, so resolving it before the write is
 * enough.
 */
async function digestCondition(
  { exchange, registry, route, call }: ManifestRequest,
  digest: Digest,
): Promise<undefined> {
  if (!isConditional(exchange)) return;
  const current = await currentDigest(() => registry.resolveManifest(route.repository, digest, call));
  assertWriteConditions(exchange, current, `manifest ${digest}`);
}
