// The format of `index.json`: reading any valid one, and writing it with one entry per line.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { isDigest, mediaTypes, RegistryError } from '../../../model/index.ts';
import type { Descriptor } from '../../../model/index.ts';

import { identityOf, inSlices, readWhole, TimeSlice } from '../files/index.ts';

type JsonObject = Record<string, unknown>;

/** The annotation that names an index entry. Image specification, "Pre-Defined Annotation Keys". */
export const refNameAnnotation = 'org.opencontainers.image.ref.name';

/** The content of an `index.json`. */
export interface ParsedIndex {
  /** Every field but `manifests`. */
  head: JsonObject;
  /** Unchanged, with the fields that other tools added. */
  entries: Descriptor[];
  /** Entries that are not descriptors. They are written back unchanged. */
  unreadable: unknown[];
  /** The hash of the file's bytes, hexadecimal. */
  sha256: string;
}

/** An `index.json` that was read from the disk. */
export interface IndexFile extends ParsedIndex {
  /** Changes when the file is replaced or edited. */
  identity: string;
}

const emptyHead: JsonObject = { schemaVersion: 2, mediaType: mediaTypes.imageIndex };

const pause = 20;

/**
 * Reads an index; undefined if there is none. If another tool is just writing it, waits for that.
 *
 * @throws RegistryError UNAVAILABLE if the file is not an index
 */
export async function readIndex(path: string): Promise<IndexFile | undefined> {
  for (;;) {
    const identity = await identityOf(path);
    if (identity === '') return undefined;
    try {
      return { ...(await parseIndex(await readWhole(path))), identity };
    } catch (cause) {
      if (!(cause instanceof NoIndexError)) throw cause;
      await delay(pause);
      if ((await identityOf(path)) !== identity) continue;
      const message = `${path} cannot be read as an image index and is left unchanged: repair or remove it`;
      throw new RegistryError('UNAVAILABLE', message, { cause });
    }
  }
}

/** The bytes are not an image index. */
export class NoIndexError extends Error {
  override readonly name = 'NoIndexError';
}

/**
 * Parses the bytes of an index.
 *
 * @throws NoIndexError
 */
export async function parseIndex(bytes: Buffer): Promise<ParsedIndex> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  try {
    return { ...((await parseLines(bytes)) ?? parseWhole(bytes)), sha256 };
  } catch (cause) {
    throw new NoIndexError('not an image index', { cause });
  }
}

type Entries = Omit<ParsedIndex, 'sha256'>;

const manifestsStart = ',"manifests":[\n';
const manifestsEnd = ']}\n';

/**
 * Parses the form that {@link indexLines} writes, one entry per line, so that a large index is not in memory twice.
 */
async function parseLines(bytes: Buffer): Promise<Entries | undefined> {
  const start = bytes.indexOf(manifestsStart);
  if (start < 0 || bytes.subarray(-manifestsEnd.length).toString() !== manifestsEnd) return undefined;
  const head = parseObject(`${bytes.subarray(0, start).toString()}}`);
  if (head === undefined) return undefined;
  const found = { head, entries: [] as Descriptor[], unreadable: [] as unknown[] };
  const end = bytes.length - manifestsEnd.length;
  const slice = new TimeSlice();
  for (let at = start + manifestsStart.length; at < end;) {
    let lineEnd = bytes.indexOf(10, at);
    if (lineEnd < 0 || lineEnd > end) lineEnd = end;
    const textEnd = bytes[lineEnd - 1] === 44 ? lineEnd - 1 : lineEnd;
    const entry = parseObject(bytes.toString('utf8', at, textEnd));
    if (entry === undefined) return undefined;
    sortIn(entry, found);
    at = lineEnd + 1;
    if (slice.isOver) await slice.giveWay();
  }
  return found;
}

function parseWhole(bytes: Buffer): Entries {
  const value: unknown = JSON.parse(bytes.toString());
  if (!isObject(value)) throw new TypeError('it is not a JSON object');
  const { manifests, ...head } = value;
  const { mediaType } = head;
  if (mediaType !== undefined && mediaType !== mediaTypes.imageIndex && mediaType !== mediaTypes.dockerManifestList) {
    throw new TypeError(`its media type is ${JSON.stringify(mediaType)}`);
  }
  if (manifests !== undefined && manifests !== null && !Array.isArray(manifests)) {
    throw new TypeError('its manifests are not a list');
  }
  const found = { head, entries: [] as Descriptor[], unreadable: [] as unknown[] };
  for (const entry of (manifests ?? []) as unknown[]) sortIn(entry, found);
  return found;
}

function sortIn(entry: unknown, found: { entries: Descriptor[]; unreadable: unknown[] }): void {
  if (isDescriptor(entry)) found.entries.push(entry);
  else found.unreadable.push(entry);
}

function isDescriptor(value: unknown): value is Descriptor {
  if (!isObject(value)) return false;
  const { mediaType, digest, size, annotations } = value;
  return (
    typeof mediaType === 'string' &&
    typeof digest === 'string' &&
    isDigest(digest) &&
    typeof size === 'number' &&
    Number.isSafeInteger(size) &&
    size >= 0 &&
    (annotations === undefined || isObject(annotations))
  );
}

function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The bytes of an index. At an undefined entry the generator may pause. */
export function indexLines(head: JsonObject | undefined, entries: Iterable<unknown>): AsyncGenerator<Buffer> {
  return inSlices(lines(head, entries));
}

function* lines(head: JsonObject | undefined, entries: Iterable<unknown>): Generator<string> {
  yield JSON.stringify({ ...emptyHead, ...head }).slice(0, -1) + manifestsStart;
  let before = '';
  for (const entry of entries) {
    if (entry === undefined) {
      yield '';
      continue;
    }
    yield before + JSON.stringify(entry);
    before = ',\n';
  }
  yield `${before === '' ? '' : '\n'}${manifestsEnd}`;
}
