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
import { locationOf } from './content-locations.ts';

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
  return resuming(request, chunk, async (upload) => {
    const size = await request.receive(chunk.size, (body) => upload.append(body.source, { ...request.call, ...chunk }));
    await upload.close();
    return uploadReply(request, 202, upload, size);
  });
}

/** PUT: appends the last bytes, if the request has any, and commits the upload. */
export async function commitUpload(request: UploadRequest): Promise<Reply> {
  const digest = parseDigest(request.query.get('digest') ?? '');
  const chunk = chunkOf(request);
  const reply = resuming(request, chunk, async (upload) => {
    const commit = (source: BlobSource | undefined): Promise<Descriptor> =>
      upload.commit(digest, { ...request.call, ...chunk, source });
    const descriptor =
      chunk.size === 0 ? commit(undefined) : request.receive(chunk.size, (body) => commit(body.source));
    return createdReply(request, await descriptor);
  });
  return reply.catch((error: unknown) => committedBefore(request, digest, chunk, error));
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

/** Resumes the upload and passes it to `go`. If the client's offset is wrong, the reply tells the right one. */
async function resuming(
  request: UploadRequest,
  chunk: Chunk,
  go: (upload: BlobUpload) => Promise<Reply>,
): Promise<Reply> {
  const { registry, route, call } = request;
  try {
    return await go(await registry.resumeUpload(route.repository, route.id, { ...call, offset: chunk.at ?? 'end' }));
  } catch (error) {
    if (!isRegistryError(error, 'RANGE_INVALID')) throw error;
    const reply = errorReply(error);
    reply.headers['Location'] = await uploadLocation(request, route.id);
    const size = sizeInDetail(error.detail);
    if (size !== undefined) Object.assign(reply.headers, formatUploadProgress(size));
    return reply;
  }
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

async function createdReply(
  request: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  descriptor: Descriptor,
): Promise<Reply> {
  const { repository } = request.route;
  const { digest, size } = descriptor;
  const elsewhere = await locationOf(request.options, false, descriptor);
  return empty(201, {
    Location: elsewhere ?? buildPath({ resource: 'blob', repository, digest }),
    'Docker-Content-Digest': digest,
    // Tells the size to a client that mounted the blob, or that resumed an upload it had not started.
    'Upload-Offset': `${size}`,
  });
}

async function uploadReply(
  request: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  status: number,
  upload: BlobUpload,
  size: number,
): Promise<Reply> {
  const headers: Reply['headers'] = {
    Location: await uploadLocation(request, upload.id),
    ...formatUploadProgress(size),
  };
  if (upload.minimumChunk !== undefined) headers['OCI-Chunk-Min-Length'] = `${upload.minimumChunk}`;
  return empty(status, headers);
}

async function uploadLocation(
  { options, route }: ApiRequest<ResourceOf<'uploads'> | ResourceOf<'upload'>>,
  id: string,
): Promise<string> {
  const elsewhere = await options.locationForUploadId?.(id);
  if (elsewhere !== undefined && elsewhere !== '') return elsewhere;
  return buildPath({ resource: 'upload', repository: route.repository, id });
}
