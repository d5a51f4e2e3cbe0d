// The headers with the progress of an upload.

/**
 * Formats the headers that tell how many bytes an upload has. `Range` cannot express an empty upload: `0-0` means one
 * byte, and all registries send it for none as well. `Upload-Offset`, as in the IETF's resumable uploads, is exact.
 */
export function formatUploadProgress(size: number): { Range: string; 'Upload-Offset': string } {
  return { Range: `0-${Math.max(size - 1, 0)}`, 'Upload-Offset': `${size}` };
}

/** Some registries send `bytes=0-99`, and one sends `0--1` for an empty upload. */
const progressRange = /^\s*(?:bytes[\s=]+)?[0-9]+-(-?[0-9]+)\s*$/i;

/**
 * Returns how many bytes an upload has; the inverse of {@link formatUploadProgress}.
 *
 * @returns `few` for one byte or none; undefined if the headers do not tell
 */
export function parseUploadProgress(range: string | null, uploadOffset: string | null): number | 'few' | undefined {
  if (uploadOffset !== null && /^[0-9]+$/.test(uploadOffset) && Number.isSafeInteger(Number(uploadOffset))) {
    return Number(uploadOffset);
  }
  const last = progressRange.exec(range ?? '')?.[1];
  if (last === undefined || !Number.isSafeInteger(Number(last) + 1)) return undefined;
  return Number(last) === 0 ? 'few' : Math.max(Number(last) + 1, 0);
}
