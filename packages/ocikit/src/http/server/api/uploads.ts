// Uploads of blobs: starting, appending, committing, cancelling, and mounting instead.
import {
  digestAlgorithm,
  digestInDetail,
  isRegistryError,
  isRepository,
  parseDigest,
  readSource,
  RegistryError,
  sizeInDetail,
  splitDigest,
} from '../../../model/index.ts';
import type { BlobSource, BlobUpload, Descriptor, Digest, ResolvedRange, UploadOptions } from '../../../model/index.ts';
import { buildPath, formatUploadProgress, parseChunkRange } from '../../wire/index.ts';
import { empty, errorReply } from '../shared/index.ts';
import type { Reply } from '../shared/index.ts';

import { contentLength, digestParameter } from './api-request.ts';
import type { ApiRequest, ResourceOf } from './api-request.ts';
import { locationOf, mayBeElsewhere } from './content-locations.ts';

type StartRequest = ApiRequest<ResourceOf<'uploads'>>;
type UploadRequest = ApiRequest<ResourceOf<'upload'>>;

/**
 * POST: starts an upload. With `mount` it tries to mount first; with `digest` it takes the whole blob.
 * Distribution specification, "Pushing blobs", "Mounting a blob from another repository".
 */
export async function startUpload(request: StartRequest): Promise<Reply> {
  const { registry, route, query, options, call } = request;
  const digest = digestParameter(request, 'digest');
  const mount = digestParameter(request, 'mount');
  const algorithm = algorithmParameter(request, digest);
  const uploadOptions: UploadOptions = { ...call, algorithm };

  if (mount !== undefined) {
    const from = query.get('from') ?? undefined;
    const isUsable = from === undefined || isRepository(from);
    const mounted = isUsable ? registry.mountBlob(from, route.repository, mount, uploadOptions) : undefined;
    // If the blob cannot be mounted, the client sends it.
    const result = await mounted?.catch((error: unknown) => {
      if (isRegistryError(error, 'UNSUPPORTED', 'BLOB_UNKNOWN', 'NAME_UNKNOWN')) return undefined;
      throw error;
    });
    if (result?.descriptor !== undefined) return createdReply(request, result.descriptor);
    if (result?.upload !== undefined) return uploadReply(request, 202, result.upload, 0);
  } else if (digest !== undefined && options.disableSinglePostUpload !== true) {
    const size = contentLength(request);
    const pushed = await request.receive(size, (body) =>
      registry.pushBlob(route.repository, { digest, size }, body.source, call),
    );
    return createdReply(request, pushed);
  }
  return uploadReply(request, 202, await registry.startUpload(route.repository, uploadOptions), 0);
}

/** GET and HEAD: report how many bytes an upload has. */
export async function uploadStatus(request: UploadRequest): Promise<Reply> {
  const { registry, route, call } = request;
  const upload = await registry.resumeUpload(route.repository, route.id, call);
  const { size = 0 } = upload;
  await upload.close();
  return uploadReply(request, 204, upload, size);
}

/** PATCH: appends a chunk or a stream. Without `Content-Range` the bytes follow those that the upload has. */
export async function appendToUpload(request: UploadRequest): Promise<Reply> {
  const chunk = chunkOf(request);
  try {
    const upload = await resume(request, chunk);
    const size = await request.receive(chunk.size, (body) => upload.append(body.source, { ...request.call, ...chunk }));
    await upload.close();
    return await uploadReply(request, 202, upload, size);
  } catch (error) {
    if (isRegistryError(error, 'RANGE_INVALID')) return wrongOffset(request, error);
    throw error;
  }
}

/** PUT: appends the last bytes, if the request has any, and commits the upload. */
export async function commitUpload(request: UploadRequest): Promise<Reply> {
  const digest = parseDigest(request.query.get('digest') ?? '');
  const chunk = chunkOf(request);
  let descriptor: Descriptor;
  try {
    const upload = await resume(request, chunk);
    const commit = (source: BlobSource | undefined): Promise<Descriptor> =>
      upload.commit(digest, { ...request.call, ...chunk, source });
    const { size } = chunk;
    descriptor = await (size === 0 ? commit(undefined) : request.receive(size, (body) => commit(body.source)));
  } catch (error) {
    if (isRegistryError(error, 'RANGE_INVALID')) return wrongOffset(request, error);
    return committedBefore(request, digest, chunk, error);
  }
  return createdReply(request, descriptor);
}

/**
 * A client whose connection was cut before the answer sends its PUT again. If the upload has become this blob, it gets
 * the answer that was lost.
 */
async function committedBefore(request: UploadRequest, digest: Digest, chunk: Chunk, error: unknown): Promise<Reply> {
  const { registry, route, call } = request;
  if (!isRegistryError(error, 'BLOB_UPLOAD_UNKNOWN') || digestInDetail(error.detail) !== digest) throw error;
  const descriptor = await registry.resolveBlob(route.repository, digest, call).catch(() => {
    throw error;
  });
  if (chunk.size !== 0) await request.receive(chunk.size, (body) => discard(body.source));
  return createdReply(request, descriptor);
}

async function discard(source: BlobSource): Promise<void> {
  const pieces = readSource(source)[Symbol.asyncIterator]();
  while ((await pieces.next()).done !== true);
}

/** DELETE: cancels an upload. Distribution specification, "Cancel a blob upload". */
export async function cancelUpload({ registry, route, call }: UploadRequest): Promise<Reply> {
  const upload = await registry.resumeUpload(route.repository, route.id, { ...call, offset: 'end' });
  await upload.cancel(call);
  return empty(204, {});
}

function resume({ registry, route, call }: UploadRequest, { at }: Chunk): Promise<BlobUpload> {
  return registry.resumeUpload(route.repository, route.id, { ...call, offset: at ?? 'end' });
}

/** The reply to a client with a wrong offset tells the right one. */
async function wrongOffset(request: UploadRequest, error: RegistryError): Promise<Reply> {
  const reply = errorReply(error);
  reply.headers['Location'] = await uploadLocation(request, request.route.id);
  const size = sizeInDetail(error.detail);
  if (size !== undefined) Object.assign(reply.headers, formatUploadProgress(size));
  return reply;
}

interface Chunk {
  /** Offset of the first byte. */
  at: number | undefined;
  /** Number of bytes. */
  size: number | undefined;
}

/** Returns the offset and the size of the body in bytes, as far as the client announces them. */
function chunkOf(request: UploadRequest): Chunk {
  const length = contentLength(request);
  const header = request.exchange.header('content-range');
  // Ignore the Content-Range of an empty body: clients send 0-0 or 36-35 with it.
  if (header === undefined || length === 0) return { at: undefined, size: length };
  const range: ResolvedRange = parseChunkRange(header);
  const size = range.end - range.start;
  if (length !== undefined && length !== size) {
    throw new RegistryError(
      'SIZE_INVALID',
      `Content-Range ${header} covers ${size} bytes, but Content-Length is ${length}`,
    );
  }
  return { at: range.start, size: length ?? size };
}

function algorithmParameter(request: StartRequest, digest: Digest | undefined): string | undefined {
  const named = request.query.get('digest-algorithm');
  if (named === null) return undefined;
  const { name } = digestAlgorithm(named);
  if (digest !== undefined && splitDigest(digest).algorithm !== name) {
    throw new RegistryError('DIGEST_INVALID', `the parameter digest-algorithm is ${name}, but the digest is ${digest}`);
  }
  return name;
}

function createdReply(
  request: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  descriptor: Descriptor,
): Reply | Promise<Reply> {
  const { options, route } = request;
  if (!mayBeElsewhere(options, descriptor)) return createdAt(undefined, route.repository, descriptor);
  return locationOf(options, false, descriptor).then((elsewhere) => createdAt(elsewhere, route.repository, descriptor));
}

function createdAt(elsewhere: string | undefined, repository: string, { digest, size }: Descriptor): Reply {
  return empty(201, {
    Location: elsewhere ?? buildPath({ resource: 'blob', repository, digest }),
    'Docker-Content-Digest': digest,
    // Tells the size to a client that mounted the blob, or that resumed an upload it had not started.
    'Upload-Offset': `${size}`,
  });
}

function uploadReply(
  request: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  status: number,
  upload: BlobUpload,
  size: number,
): Reply | Promise<Reply> {
  const location = uploadLocation(request, upload.id);
  return typeof location === 'string'
    ? uploadAt(location, status, upload, size)
    : location.then((found) => uploadAt(found, status, upload, size));
}

function uploadAt(location: string, status: number, { minimumChunk }: BlobUpload, size: number): Reply {
  const headers: Reply['headers'] = { Location: location, ...formatUploadProgress(size) };
  if (minimumChunk !== undefined) headers['OCI-Chunk-Min-Length'] = `${minimumChunk}`;
  return empty(status, headers);
}

/** A text, not a promise of one, unless another place is configured: most uploads are small. */
function uploadLocation(
  { options, route }: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  id: string,
): string | Promise<string> {
  const own = buildPath({ resource: 'upload', repository: route.repository, id });
  const { locationForUploadId } = options;
  if (locationForUploadId === undefined) return own;
  const choose = async (): Promise<string> => {
    const elsewhere = await locationForUploadId(id);
    return elsewhere === undefined || elsewhere === '' ? own : elsewhere;
  };
  return choose();
}
