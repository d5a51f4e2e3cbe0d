/**
 * The headers that say how many bytes an upload has. `Range` cannot say that there are none: `0-0` is one byte, and what
 * everyone sends for none. `Upload-Offset`, as in the IETF's resumable uploads, is exact.
 */
export function formatUploadProgress(size: number): { Range: string; 'Upload-Offset': string } {
  return { Range: `0-${Math.max(size - 1, 0)}`, 'Upload-Offset': `${size}` };
}

/** Some send `bytes=0-99`, and one `0--1` for none. */
const progressRange = /^\s*(?:bytes[\s=]+)?[0-9]+-(-?[0-9]+)\s*$/i;

/**
 * How many bytes an upload has; the inverse of {@link formatUploadProgress}.
 *
 * @returns `few` if it is one byte or none; undefined if nothing is said
 */
export function parseUploadProgress(range: string | null, uploadOffset: string | null): number | 'few' | undefined {
  if (uploadOffset !== null && /^[0-9]+$/.test(uploadOffset) && Number.isSafeInteger(Number(uploadOffset))) {
    return Number(uploadOffset);
  }
  const last = progressRange.exec(range ?? '')?.[1];
  if (last === undefined || !Number.isSafeInteger(Number(last) + 1)) return undefined;
  return Number(last) === 0 ? 'few' : Math.max(Number(last) + 1, 0);
}
