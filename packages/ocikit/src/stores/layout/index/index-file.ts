import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { isDigest, mediaTypes, RegistryError } from '../../../model/index.ts';
import type { Descriptor } from '../../../model/index.ts';

import { identityOf, inSlices, readWhole, TimeSlice } from '../files/index.ts';

type JsonObject = Record<string, unknown>;

export const refNameAnnotation = 'org.opencontainers.image.ref.name';

/** What an `index.json` says. */
export interface ParsedIndex {
  /** Every field but `manifests`. */
  head: JsonObject;
  /** As they are, other tools' fields included. */
  entries: Descriptor[];
  /** What is no descriptor at all. It is written back as it was. */
  unreadable: unknown[];
  sha256: string;
}

/** An `index.json` as it was read. */
export interface IndexFile extends ParsedIndex {
  identity: string;
}

const emptyHead: JsonObject = { schemaVersion: 2, mediaType: mediaTypes.imageIndex };

const pause = 20;

/**
 * Undefined if there is none. One that somebody is just writing is read when that is done.
 *
 * @throws RegistryError UNAVAILABLE if it is there and no index
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
      const message = `${path} cannot be read as an image index, and is left as it is`;
      throw new RegistryError('UNAVAILABLE', message, { cause });
    }
  }
}

/** What was read is not an image index. */
export class NoIndexError extends Error {
  override readonly name = 'NoIndexError';
}

/** @throws NoIndexError */
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

/** As {@link indexLines} writes it: an entry a line, so that a large one need not be in memory twice. */
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

/** The bytes of an index. An entry that is undefined is only somewhere to stop for a while. */
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
