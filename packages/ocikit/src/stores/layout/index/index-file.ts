// The format of `index.json`: reading any valid one, and writing it with one entry per line.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

import { mediaTypes, RegistryError } from '../../../model/index.ts';

import { identityOf, inSlices, readWhole, TimeSlice } from '../files/index.ts';

import { isObject, readEntry } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';
import { endOfValue, textsOf } from './json-elements.ts';
import type { FieldText } from './json-elements.ts';
import { bytesOfKept, textOfBytes } from './kept-bytes.ts';
import { withoutByteOrderMark } from './byte-order-mark.ts';

/** The content of an `index.json`. */
export interface ParsedIndex {
  /** Every field but `manifests`, as its writer formatted it. */
  head: readonly FieldText[];
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

/** The fields that every index has. */
const emptyHead: readonly FieldText[] = [
  { name: 'schemaVersion', text: '"schemaVersion":2' },
  { name: 'mediaType', text: `"mediaType":${JSON.stringify(mediaTypes.imageIndex)}` },
];

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
  const headBytes = Buffer.concat([bytes.subarray(0, start), Buffer.from('}')]);
  const value = parse(headBytes.toString());
  if (!isObject(value) || 'manifests' in value) return undefined;
  const found: Entries = { head: textsOf(headBytes, 'manifests').fields, entries: [], unreadable: [] };
  const end = bytes.length - manifestsEnd.length;
  const slice = new TimeSlice();
  for (let at = start + manifestsStart.length; at < end;) {
    let lineEnd = endOfLine(bytes, at, end);
    let text = textOfLine(bytes, at, lineEnd);
    let entry = parse(text);
    if (entry === undefined) {
      lineEnd = endOfLine(bytes, endOfValue(bytes, at), end);
      text = textOfLine(bytes, at, lineEnd);
      entry = parse(text);
      if (entry === undefined) return undefined;
    }
    sortIn(entry, text, found);
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
  return textOfBytes(bytes.subarray(at, bytes[lineEnd - 1] === 44 ? lineEnd - 1 : lineEnd));
}

function parseWhole(bytes: Buffer): Entries {
  const value: unknown = JSON.parse(bytes.toString());
  if (!isObject(value)) throw new TypeError('it is not a JSON object');
  const { manifests, mediaType } = value;
  if (mediaType !== undefined && mediaType !== mediaTypes.imageIndex && mediaType !== mediaTypes.dockerManifestList) {
    throw new TypeError(`its media type is ${JSON.stringify(mediaType)}`);
  }
  if (manifests !== undefined && manifests !== null && !Array.isArray(manifests)) {
    throw new TypeError('its manifests are not a list');
  }
  const { elements, fields } = textsOf(bytes, 'manifests');
  const found: Entries = { head: fields, entries: [], unreadable: [] };
  const values: unknown[] = manifests ?? [];
  for (const [i, text] of elements.entries()) sortIn(values[i], text, found);
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
  head: readonly FieldText[] | undefined,
  entries: Iterable<string | undefined>,
): AsyncGenerator<Buffer> {
  return inSlices(lines(head, entries), bytesOfKept);
}

function* lines(head: readonly FieldText[] = [], entries: Iterable<string | undefined>): Generator<string> {
  const first = emptyHead.map((field) => head.findLast(({ name }) => name === field.name) ?? field);
  const others = head.filter(({ name }) => !emptyHead.some((field) => field.name === name));
  yield `{${[...first, ...others].map(({ text }) => text).join(',')}${manifestsStart}`;
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
