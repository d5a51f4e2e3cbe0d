// The paths of the API. Distribution specification, "Endpoints".
import { assertRepository, RegistryError } from '../../model/index.ts';

import { decodeUploadId, encodeUploadId } from './upload-ids.ts';

/** A resource of the API. */
export type Route =
  | { resource: 'base' }
  | { resource: 'catalog' }
  | { resource: 'blob'; repository: string; digest: string }
  | { resource: 'uploads'; repository: string }
  | { resource: 'upload'; repository: string; id: string }
  | { resource: 'manifest'; repository: string; reference: string }
  | { resource: 'tags'; repository: string }
  | { resource: 'referrers'; repository: string; digest: string };

/**
 * Returns the resource that a path names; the inverse of {@link buildPath}. Digests, tags and ids are not checked.
 *
 * The path is read from its end, as a repository may have components such as `blobs` or `manifests`.
 *
 * @param path without the query
 * @returns undefined if the API has no such path
 * @throws RegistryError NAME_INVALID if the repository is malformed; BAD_REQUEST if the encoding is
 */
export function parsePath(path: string): Route | undefined {
  if (path === '/v2' || path === '/v2/') return { resource: 'base' };
  if (path === '/v2/_catalog') return { resource: 'catalog' };
  if (!path.startsWith('/v2/')) return undefined;

  const segments = path.slice('/v2/'.length).split('/');
  const last = segments.pop() ?? '';
  const beforeLast = segments.pop() ?? '';
  switch (beforeLast) {
    case 'manifests':
      return { resource: 'manifest', repository: repositoryIn(segments), reference: decode(last) };
    case 'referrers':
      return { resource: 'referrers', repository: repositoryIn(segments), digest: decode(last) };
    case 'tags':
      return last === 'list' ? { resource: 'tags', repository: repositoryIn(segments) } : undefined;
    case 'blobs':
      return last === 'uploads'
        ? { resource: 'uploads', repository: repositoryIn(segments) }
        : { resource: 'blob', repository: repositoryIn(segments), digest: decode(last) };
    case 'uploads':
      if (segments.pop() !== 'blobs') return undefined;
      return last === ''
        ? { resource: 'uploads', repository: repositoryIn(segments) }
        : { resource: 'upload', repository: repositoryIn(segments), id: decodeUploadId(decode(last)) };
    default:
      return undefined;
  }
}

/** Returns the path of a resource. */
export function buildPath(route: Route): string {
  switch (route.resource) {
    case 'base':
      return '/v2/';
    case 'catalog':
      return '/v2/_catalog';
    case 'blob':
      return `/v2/${route.repository}/blobs/${route.digest}`;
    case 'uploads':
      return `/v2/${route.repository}/blobs/uploads/`;
    case 'upload':
      return `/v2/${route.repository}/blobs/uploads/${encodeUploadId(route.id)}`;
    case 'manifest':
      return `/v2/${route.repository}/manifests/${route.reference}`;
    case 'tags':
      return `/v2/${route.repository}/tags/list`;
    case 'referrers':
      return `/v2/${route.repository}/referrers/${route.digest}`;
  }
}

/**
 * Returns the repository. An encoded slash is refused: a proxy before this server may have checked the path without it.
 */
function repositoryIn(segments: readonly string[]): string {
  const repository = segments.join('/');
  assertRepository(repository);
  return repository;
}

function decode(segment: string): string {
  if (!segment.includes('%')) return segment;
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new RegistryError('BAD_REQUEST', 'the path has a malformed percent-encoding', { cause });
  }
}
