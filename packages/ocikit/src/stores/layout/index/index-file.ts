// The format of `index.json`: reading any valid one, and writing it with one entry per line.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { mediaTypes, RegistryError } from '../../../model/index.ts';

import { identityOf, inSlices, readWhole, TimeSlice } from '../files/index.ts';

import { isObject, readEntry } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { elementTexts, endOfValue } from './json-elements.ts';
import { withoutByteOrderMark } from './byte-order-mark.ts';

type JsonObject = Record<string, unknown>;

/** The content of an `index.json`. */
export interface ParsedIndex {
  /** Every field but `manifests`. */
  head: JsonObject;
  /** The entries that are descriptors. */
  entries: IndexEntry[];
  /** The texts of entries that are not descriptors. They are written back unchanged. */
  unreadable: string[];
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
    const json = withoutByteOrderMark(bytes);
    return { ...((await parseLines(json)) ?? parseWhole(json)), sha256 };
  } catch (cause) {
    throw new NoIndexError('not an image index', { cause });
  }
}

type Entries = Omit<ParsedIndex, 'sha256'>;

const manifestsStart = ',"manifests":[\n';
const manifestsEnd = ']}\n';

/**
 * Parses the form that {@link indexLines} writes, one entry per line, so that a large index is not in memory twice. An
 * entry of another tool may have several lines.
 */
async function parseLines(bytes: Buffer): Promise<Entries | undefined> {
  const start = bytes.indexOf(manifestsStart);
  if (start < 0 || bytes.subarray(-manifestsEnd.length).toString() !== manifestsEnd) return undefined;
  const head = parse(`${bytes.subarray(0, start).toString()}}`);
  if (!isObject(head) || 'manifests' in head) return undefined;
  const found: Entries = { head, entries: [], unreadable: [] };
  const end = bytes.length - manifestsEnd.length;
  const slice = new TimeSlice();
  for (let at = start + manifestsStart.length; at < end;) {
    let lineEnd = endOfLine(bytes, at, end);
    let text = textOfLine(bytes, at, lineEnd);
    let value = parse(text);
    if (value === undefined) {
      lineEnd = endOfLine(bytes, endOfValue(bytes, at), end);
      text = textOfLine(bytes, at, lineEnd);
      value = parse(text);
      if (value === undefined) return undefined;
    }
    sortIn(value, text, found);
    at = lineEnd + 1;
    if (slice.isOver) await slice.giveWay();
  }
  return found;
}

function endOfLine(bytes: Buffer, at: number, end: number): number {
  const found = bytes.indexOf(10, at);
  return found < 0 || found > end ? end : found;
}

function textOfLine(bytes: Buffer, at: number, lineEnd: number): string {
  return bytes.toString('utf8', at, bytes[lineEnd - 1] === 44 ? lineEnd - 1 : lineEnd);
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
  const found: Entries = { head, entries: [], unreadable: [] };
  const values: unknown[] = manifests ?? [];
  for (const [i, text] of elementTexts(bytes, 'manifests').entries()) sortIn(values[i], text, found);
  return found;
}

function sortIn(value: unknown, text: string, found: Entries): void {
  const entry = readEntry(value, text);
  if (entry === undefined) found.unreadable.push(text);
  else found.entries.push(entry);
}

/** Undefined if the text is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * The bytes of an index.
 *
 * @param entries the texts of the entries; at an undefined one the generator may pause
 */
export function indexLines(
  head: JsonObject | undefined,
  entries: Iterable<string | undefined>,
): AsyncGenerator<Buffer> {
  return inSlices(lines(head, entries));
}

function* lines(head: JsonObject | undefined, entries: Iterable<string | undefined>): Generator<string> {
  yield JSON.stringify({ ...emptyHead, ...head }).slice(0, -1) + manifestsStart;
  let before = '';
  for (const entry of entries) {
    if (entry === undefined) {
      yield '';
      continue;
    }
    yield before + entry;
    before = ',\n';
  }
  yield `${before === '' ? '' : '\n'}${manifestsEnd}`;
}
