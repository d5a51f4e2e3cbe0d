import {
  assertTag,
  isRegistryError,
  mediaTypes,
  parseDigest,
  parseMediaType,
  RegistryError,
} from '../../model/index.ts';
import type { Descriptor, Digest, Manifest, PushManifestOptions } from '../../model/index.ts';
import { accepts, buildPath, formatEntityTag, matches, parseEntityTags } from '../wire/index.ts';

import { readBody, tooLarge } from './body.ts';
import type { Reply } from './exchange.ts';
import { empty, locationOf, redirect } from './reply.ts';
import { bodyOf, contentLength } from './request.ts';
import type { ApiRequest, ResourceOf } from './request.ts';

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
  const withoutDigest = reference.tag !== undefined && options.omitDigestFromTagGetResponse === true;
  const reply = await manifestReply(request, descriptor, withoutDigest);
  return reply.status === 200 ? { ...reply, body: bytes } : reply;
}

export async function headManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, call } = request;
  const reference = referenceOf(request);
  const descriptor =
    reference.tag === undefined
      ? await registry.resolveManifest(route.repository, reference.digest, call)
      : await registry.resolveTag(route.repository, reference.tag, call);
  return manifestReply(request, descriptor, false);
}

async function manifestReply(
  { exchange, options }: ManifestRequest,
  descriptor: Descriptor,
  withoutDigest: boolean,
): Promise<Reply> {
  const { digest, mediaType, size } = descriptor;
  const headers: Reply['headers'] = { ETag: formatEntityTag(digest) };
  if (!withoutDigest) headers['Docker-Content-Digest'] = digest;
  const location = await locationOf(options, true, descriptor);
  if (location !== undefined) return redirect(location, 307, headers);

  const accept = exchange.header('accept');
  if (!accepts(accept, mediaType)) {
    throw new RegistryError('NOT_ACCEPTABLE', `the manifest is of type ${mediaType}, which Accept does not take`, {
      detail: { mediaType, accept },
    });
  }
  const condition = exchange.header('if-none-match');
  if (condition !== undefined && matches(parseEntityTags(condition), digest)) return empty(304, headers);
  return { status: 200, headers: { ...headers, 'Content-Type': mediaType, 'Content-Length': `${size}` } };
}

/** Distribution specification, "Pushing Manifests". Further tags come as `tag=` parameters. */
export async function putManifest(request: ManifestRequest): Promise<Reply> {
  const { registry, route, query, limits, call, options, exchange } = request;
  const reference = referenceOf(request);
  const tags = query.getAll('tag');
  tags.forEach(assertTag);
  if (reference.tag !== undefined) tags.unshift(reference.tag);
  if ((contentLength(request) ?? 0) > limits.manifestSize) throw tooLarge(limits.manifestSize);
  const bytes = await readBody(bodyOf(request), limits.manifestSize);

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
    await registry.deleteManifest(route.repository, reference.digest, call);
  } else {
    const ifTag = await tagCondition(request, reference.tag);
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
  [tag]: readonly string[],
): Promise<PushManifestOptions['ifTag']> {
  if (tag !== undefined) return tagCondition(request, tag);
  return reference.digest === undefined ? Promise.resolve(undefined) : digestCondition(request, reference.digest);
}

/**
 * What `If-Match` and `If-None-Match` ask of a tag, as the registry's own condition, which is atomic: where the tag has
 * to be, null if it must not exist, undefined if nothing is asked. RFC 9110, section 13.
 */
async function tagCondition(request: ManifestRequest, tag: string): Promise<PushManifestOptions['ifTag']> {
  const { exchange, registry, route, call } = request;
  if (!isConditional(request)) return undefined;
  const current = await currentDigest(() => registry.resolveTag(route.repository, tag, call));
  assertConditions(exchange.header('if-match'), exchange.header('if-none-match'), current, `tag ${tag}`);
  return current ?? null;
}

/** The same of a manifest by its digest: it cannot change, so it is enough to look. */
async function digestCondition(request: ManifestRequest, digest: Digest): Promise<undefined> {
  const { exchange, registry, route, call } = request;
  if (!isConditional(request)) return;
  const current = await currentDigest(() => registry.resolveManifest(route.repository, digest, call));
  assertConditions(exchange.header('if-match'), exchange.header('if-none-match'), current, digest);
}

function isConditional({ exchange }: ManifestRequest): boolean {
  return exchange.header('if-match') !== undefined || exchange.header('if-none-match') !== undefined;
}

async function currentDigest(resolve: () => Promise<Descriptor>): Promise<Digest | undefined> {
  try {
    return (await resolve()).digest;
  } catch (error) {
    if (isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND')) return undefined;
    throw error;
  }
}

function assertConditions(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
  current: Digest | undefined,
  what: string,
): void {
  const holds =
    (ifMatch === undefined || (current !== undefined && matches(parseEntityTags(ifMatch), current))) &&
    (ifNoneMatch === undefined || current === undefined || !matches(parseEntityTags(ifNoneMatch), current));
  if (holds) return;
  throw new RegistryError('PRECONDITION_FAILED', `${what} is at ${current ?? 'nothing'}, which the request rules out`, {
    detail: { found: current },
  });
}
