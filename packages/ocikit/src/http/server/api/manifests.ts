import { assertTag, mediaTypes, parseDigest, parseMediaType, RegistryError } from '../../../model/index.ts';
import type { Descriptor, Digest, Manifest, PushManifestOptions } from '../../../model/index.ts';
import { accepts, buildPath, formatEntityTag } from '../../wire/index.ts';
import { empty, locationOf, mayBeElsewhere, redirect } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import { bodyOf, contentLength } from './api-request.ts';
import type { ApiRequest, ResourceOf } from './api-request.ts';
import { readBody, tooLarge } from './body.ts';
import { assertWriteConditions, conditionOfRead, currentDigest, isConditional } from './conditions.ts';

type ManifestRequest = ApiRequest<ResourceOf<'manifest'>>;

/** A reference is a digest if it has a colon, which a tag cannot have. */
type ManifestReference = { digest: Digest; tag?: undefined } | { digest?: undefined; tag: string };

function referenceOf({ route }: ManifestRequest): ManifestReference {
  if (route.reference.includes(':')) return { digest: parseDigest(route.reference) };
  assertTag(route.reference);
  return { tag: route.reference };
}

/** Distribution specification, "Pulling manifests". */
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

/** What is answered if the content is not to be fetched elsewhere. */
function ownReply({ exchange }: ManifestRequest, descriptor: Descriptor): Reply {
  const { digest, mediaType, size } = descriptor;
  const headers = validators(descriptor);
  const accept = exchange.header('accept');
  if (!accepts(accept, mediaType)) {
    throw new RegistryError('NOT_ACCEPTABLE', `the manifest is of type ${mediaType}, which Accept does not take`, {
      detail: { mediaType, accept },
    });
  }
  const notModified = conditionOfRead(exchange, digest, headers);
  if (notModified !== undefined) return notModified;
  headers['Content-Type'] = mediaType;
  headers['Content-Length'] = `${size}`;
  return { status: 200, headers };
}

/** Distribution specification, "Pushing Manifests". Further tags come as `tag=` parameters. */
export async function putManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, query, limits, call, options, exchange } = request;
  const reference = referenceOf(request);
  const tags = query.getAll('tag');
  tags.forEach(assertTag);
  if (reference.tag !== undefined) tags.unshift(reference.tag);
  if ((contentLength(request) ?? 0) > limits.manifestSize) throw tooLarge(limits.manifestSize);
  const bytes = await request.receive(() => readBody(bodyOf(request), limits.manifestSize));

  const pushed = await registry.pushManifest(
    route.repository,
    bytes,
    mediaTypeOf(exchange.header('content-type'), bytes),
    {
      ...call,
      digest: reference.digest,
      tags,
      ifTag: await conditionOf(request, reference, tags),
    },
  );

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

/** Distribution specification, "Deleting tags", "Deleting Manifests". */
export async function deleteManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, call } = request;
  const reference = referenceOf(request);
  if (reference.tag === undefined) {
    await digestCondition(request, reference.digest);
    await registry.deleteManifest(route.repository, reference.digest, call);
  } else {
    const ifTag = await tagCondition(request, [reference.tag]);
    await registry.deleteTag(route.repository, reference.tag, { ...call, ifTag: ifTag ?? undefined });
  }
  return empty(202, {});
}

/** What was pushed without a type is what it says it is, else an image. */
function mediaTypeOf(contentType: string | undefined, bytes: Uint8Array): string {
  if (contentType === undefined || contentType === '') return mediaTypeIn(bytes) ?? mediaTypes.imageManifest;
  const mediaType = parseMediaType(contentType);
  if (mediaType === undefined) {
    throw new RegistryError('MANIFEST_INVALID', `Content-Type ${JSON.stringify(contentType)} is not a media type`);
  }
  return mediaType;
}

function mediaTypeIn(bytes: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const mediaType = typeof value === 'object' && value !== null && 'mediaType' in value ? value.mediaType : undefined;
    return typeof mediaType === 'string' ? parseMediaType(mediaType) : undefined;
  } catch {
    return undefined; // What is wrong with it is said when it is validated.
  }
}

/** Conditions speak of the tags that the request sets, if it sets any. */
function conditionOf(
  request: ManifestRequest,
  reference: ManifestReference,
  tags: readonly string[],
): Promise<PushManifestOptions['ifTag']> {
  if (tags.length > 0) return tagCondition(request, tags);
  return reference.digest === undefined ? Promise.resolve(undefined) : digestCondition(request, reference.digest);
}

/**
 * What `If-Match` and `If-None-Match` ask of tags, as the registry's own condition, which is atomic: where the tags have
 * to be, null if they must not exist, undefined if nothing is asked. RFC 9110, section 13.
 */
async function tagCondition(request: ManifestRequest, tags: readonly string[]): Promise<PushManifestOptions['ifTag']> {
  const { exchange, registry, route, call } = request;
  if (!isConditional(exchange)) return undefined;
  const found = new Set<Digest | null>();
  for (const tag of tags) {
    const current = await currentDigest(() => registry.resolveTag(route.repository, tag, call));
    assertWriteConditions(exchange, current, `tag ${tag}`);
    found.add(current ?? null);
  }
  if (found.size > 1) {
    throw new RegistryError('BAD_REQUEST', 'the tags are at different places: give one request for each its condition');
  }
  return [...found][0];
}

/** The same of a manifest by its digest: it cannot change, so it is enough to look. */
async function digestCondition(
  { exchange, registry, route, call }: ManifestRequest,
  digest: Digest,
): Promise<undefined> {
  if (!isConditional(exchange)) return;
  const current = await currentDigest(() => registry.resolveManifest(route.repository, digest, call));
  assertWriteConditions(exchange, current, digest);
}
