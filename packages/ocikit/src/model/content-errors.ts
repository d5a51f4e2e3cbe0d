// The errors for missing and for wrong content, which every registry rejects with.
import type { Digest } from './digest.ts';
import { isRegistryError, RegistryError } from './errors.ts';

/**
 * NAME_UNKNOWN: the registry has no such repository.
 *
 * @example throw nameUnknown('team/app');
 */
export function nameUnknown(repository: string): RegistryError {
  return new RegistryError('NAME_UNKNOWN', `repository ${repository} is not known`, { detail: { name: repository } });
}

/**
 * BLOB_UNKNOWN: the repository has no such blob.
 *
 * @example throw blobUnknown('team/app', digest);
 */
export function blobUnknown(repository: string, digest: Digest): RegistryError {
  return new RegistryError('BLOB_UNKNOWN', `${repository} has no blob ${digest}`, { detail: { digest } });
}

/**
 * MANIFEST_UNKNOWN: the repository has no such manifest.
 *
 * @example throw manifestUnknown('team/app', 'v1');
 * @param reference its digest or its tag
 */
export function manifestUnknown(repository: string, reference: string): RegistryError {
  return new RegistryError('MANIFEST_UNKNOWN', `${repository} has no manifest ${reference}`, { detail: { reference } });
}

/**
 * True if the error says that a manifest or its whole repository does not exist. Includes NOT_FOUND, because some
 * registries send a 404 without a code.
 *
 * @example
 * const manifest = await registry.getTag('team/app', 'v1').catch((error: unknown) => {
 *   if (isManifestUnknown(error)) return undefined;
 *   throw error;
 * });
 */
export function isManifestUnknown(error: unknown): error is RegistryError {
  return isRegistryError(error, 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/**
 * True if the error says that a blob or its whole repository does not exist; like {@link isManifestUnknown}.
 *
 * @example if (isBlobUnknown(error)) await registry.pushBlob('team/app', { digest }, bytes);
 */
export function isBlobUnknown(error: unknown): error is RegistryError {
  return isRegistryError(error, 'BLOB_UNKNOWN', 'NAME_UNKNOWN', 'NOT_FOUND');
}

/**
 * DIGEST_INVALID: the content's digest is `found`, not `expected`.
 *
 * @example if (found !== expected) throw wrongDigest(expected, found);
 */
export function wrongDigest(expected: Digest, found: Digest): RegistryError {
  return new RegistryError('DIGEST_INVALID', `the content's digest is ${found}, not ${expected}`, {
    detail: { expected, found },
  });
}

/**
 * SIZE_INVALID: the content does not have `expected` bytes.
 *
 * @example if (bytes.length !== size) throw wrongSize(digest, size, bytes.length);
 * @param digest the content's digest; undefined if it is not known
 * @param found the content's size in bytes. If it is too large, the size that was seen before reading stopped
 */
export function wrongSize(digest: Digest | undefined, expected: number, found: number): RegistryError {
  const content = digest === undefined ? 'the content' : `the content of ${digest}`;
  const difference =
    found > expected
      ? `is longer than the ${expected} bytes that were announced`
      : `ended after ${found} bytes, but ${expected} were announced`;
  return new RegistryError('SIZE_INVALID', `${content} ${difference}`, { detail: { expected, found } });
}

/**
 * RANGE_INVALID: the caller wants to continue an upload at `offset`, but the upload has `size` bytes.
 *
 * @example if (options.at !== undefined && options.at !== size) throw wrongOffset(options.at, size);
 */
export function wrongOffset(offset: number, size: number): RegistryError {
  return new RegistryError(
    'RANGE_INVALID',
    `the upload has ${size} bytes: continue at byte ${size}, not at byte ${offset}`,
    { detail: { size } },
  );
}

/**
 * The size in the detail of a RANGE_INVALID error, as {@link wrongOffset} makes it; undefined if there is none.
 *
 * @example if (isRegistryError(error, 'RANGE_INVALID')) resumeAt(sizeInDetail(error.detail));
 */
export function sizeInDetail(detail: unknown): number | undefined {
  if (typeof detail !== 'object' || detail === null || !('size' in detail)) return undefined;
  return typeof detail.size === 'number' ? detail.size : undefined;
}

/**
 * An upload that never was, or has ended: BLOB_UPLOAD_UNKNOWN. Distribution specification, "Pushing blobs".
 *
 * @param digest the blob that the upload became, if it was committed
 * @example throw uploadUnknown('team/app');
 */
export function uploadUnknown(repository: string, digest?: Digest): RegistryError {
  return new RegistryError(
    'BLOB_UPLOAD_UNKNOWN',
    digest === undefined
      ? `${repository} has no such upload, or the upload has ended: start a new one`
      : `this upload to ${repository} has ended: it became the blob ${digest}`,
    digest === undefined ? {} : { detail: { digest } },
  );
}

/**
 * The digest in the detail of an error, as {@link uploadUnknown} and {@link blobUnknown} make it; undefined if there is
 * none.
 *
 * @example if (digestInDetail(error.detail) === digest) console.log('it was pushed before');
 */
export function digestInDetail(detail: unknown): string | undefined {
  if (typeof detail !== 'object' || detail === null || !('digest' in detail)) return undefined;
  return typeof detail.digest === 'string' ? detail.digest : undefined;
}
