// One entry of an `index.json`: its checked fields, and its text as its writer formatted it.
import { imageNameAnnotation, isDigest, refNameAnnotation } from '../../../model/index.ts';
import type { Digest } from '../../../model/index.ts';

import { parseUnowned, unownedText } from './unowned.ts';
import type { Unowned } from './unowned.ts';

/** The annotation that lists what a manifest names and its repository does not own. See {@link Unowned}. */
export const unownedAnnotation = 'dev.ocikit.unowned';

/** The fields of an index entry that have a meaning here. Other tools wrote them, so each has its type checked. */
export interface IndexEntry {
  /** The manifest's media type. */
  mediaType: string;
  /** The manifest's digest. */
  digest: Digest;
  /** The manifest's size in bytes. */
  size: number;
  /** The annotation {@link refNameAnnotation}; null if it is not a text. */
  refName?: string | null | undefined;
  /** The annotation {@link imageNameAnnotation}. */
  imageName?: string | undefined;
  /** The annotation {@link unownedAnnotation}. */
  unowned?: Unowned | undefined;
  /** The entry as its writer formatted it. Undefined if {@link formatEntry} gives the same text. */
  text?: string | undefined;
}

/** The fields that {@link formatEntry} writes. */
export type OwnEntry = Pick<IndexEntry, 'mediaType' | 'digest' | 'size' | 'unowned'> & {
  /** The annotation {@link refNameAnnotation}. */
  refName: string | undefined;
};

/** An entry in the format of this library. An index may have very many, so its text is put together here. */
export function formatEntry({ mediaType, digest, size, refName, unowned }: OwnEntry): string {
  const start = `{"mediaType":${JSON.stringify(mediaType)},"digest":"${digest}","size":${size}`;
  if (refName === undefined && unowned === undefined) return `${start}}`;
  // In byte order, as tools written in Go write maps: an entry that such a tool has written back is still known.
  const unownedField = unowned === undefined ? '' : `"${unownedAnnotation}":"${unownedText(unowned)}"`;
  const nameField = refName === undefined ? '' : `"${refNameAnnotation}":${JSON.stringify(refName)}`;
  const comma = unownedField === '' || nameField === '' ? '' : ',';
  return `${start},"annotations":{${unownedField}${comma}${nameField}}}`;
}

/**
 * Checks the fields of an entry.
 *
 * @param value the parsed text
 * @returns undefined if it is not a descriptor
 */
export function readEntry(value: unknown, text: string): IndexEntry | undefined {
  if (!isObject(value)) return undefined;
  const { mediaType, digest, size } = value;
  const annotations = value['annotations'] ?? {};
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) return undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || !isObject(annotations)) return undefined;
  const refName = annotations[refNameAnnotation];
  const imageName = annotations[imageNameAnnotation];
  const entry: IndexEntry = {
    mediaType,
    digest,
    size,
    refName: typeof refName === 'string' || refName === undefined ? refName : null,
    imageName: typeof imageName === 'string' ? imageName : undefined,
    unowned: parseUnowned(annotations[unownedAnnotation]),
    text: undefined,
  };
  if (text !== textOf(entry)) entry.text = text;
  return entry;
}

/** The text of an entry, as its writer formatted it. */
export function textOf({ text, mediaType, digest, size, refName, unowned }: IndexEntry): string {
  return text ?? formatEntry({ mediaType, digest, size, unowned, refName: refName ?? undefined });
}

/** True if a JSON value is an object. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
