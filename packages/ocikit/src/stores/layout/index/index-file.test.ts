import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf, mediaTypes } from '../../../model/index.ts';

import { identityOf } from '../files/index.ts';

import { textOf } from './index-entry.ts';
import { indexLines, readIndex } from './index-file.ts';
import type { IndexFile } from './index-file.ts';
import type { FieldText } from './json-elements.ts';

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-index-'));
  path = join(dir, 'index.json');
});
afterEach(() => rm(dir, { recursive: true }));

const entry = { mediaType: mediaTypes.imageManifest, digest: digestOf(new Uint8Array()), size: 2 };

function fieldsOf(head: Record<string, unknown> | undefined): FieldText[] | undefined {
  if (head === undefined) return undefined;
  return Object.entries(head).map(([name, value]) => ({ name, text: `"${name}":${JSON.stringify(value)}` }));
}

function headOf(index: IndexFile | undefined): unknown {
  return JSON.parse(`{${index?.head.map(({ text }) => text).join(',')}}`);
}

async function linesOf(head: Record<string, unknown> | undefined, entries: readonly unknown[]): Promise<string> {
  const pieces: Buffer[] = [];
  const texts = entries.map((one) => JSON.stringify(one));
  for await (const piece of indexLines(fieldsOf(head), texts)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** The entries as they would be written back. */
function entriesOf(index: IndexFile | undefined): unknown[] | undefined {
  return index?.entries.map((one) => JSON.parse(textOf(one)) as unknown);
}

describe('an index', () => {
  test.each([0, 1, 2, 5000])('of %d entries is read as it was written', async (count) => {
    const entries = Array.from({ length: count }, (_, i) => ({ ...entry, annotations: { name: `a "${i}"\n]}` } }));
    const text = await linesOf({ annotations: { a: 'b' }, other: 1 }, entries);
    expect(JSON.parse(text)).toEqual({
      schemaVersion: 2,
      mediaType: mediaTypes.imageIndex,
      annotations: { a: 'b' },
      other: 1,
      manifests: entries,
    });
    await writeFile(path, text);
    const index = await readIndex(path);
    expect(entriesOf(index)).toEqual(entries);
    expect(index?.unreadable).toEqual([]);
    expect(headOf(index)).toMatchObject({ annotations: { a: 'b' }, other: 1 });
  });

  test.each([
    ['in one line', (value: unknown) => JSON.stringify(value)],
    ['with indentation', (value: unknown) => JSON.stringify(value, undefined, 2)],
    ['with a line end of its own', (value: unknown) => `${JSON.stringify(value)}\n`],
    [
      'in an order of its own',
      (value: object) => JSON.stringify(Object.fromEntries(Object.entries(value).toReversed())),
    ],
  ])('of another tool is read %s, with all that only it knows', async (_, format) => {
    const known = { ...entry, platform: { os: 'linux', architecture: 'arm64' }, 'x-own': true };
    await writeFile(path, format({ schemaVersion: 2, manifests: [known, entry], 'x-own': [1] }));
    const index = await readIndex(path);
    expect(entriesOf(index)).toEqual([known, entry]);
    expect(headOf(index)).toEqual({ schemaVersion: 2, 'x-own': [1] });
  });

  test('keeps what is no descriptor apart, also in its own form', async () => {
    const odd = [
      null,
      7,
      'x',
      {},
      { ...entry, size: -1 },
      { ...entry, digest: 'sha256:x' },
      { ...entry, annotations: 1 },
    ];
    for (const text of [JSON.stringify({ manifests: [entry, ...odd] }), await linesOf({}, [entry, ...odd])]) {
      await writeFile(path, text);
      const index = await readIndex(path);
      expect(entriesOf(index)).toEqual([entry]);
      expect(index?.unreadable).toEqual(odd.map((one) => JSON.stringify(one)));
    }
  });

  test.each(['\n', '\r\n  ', '\t'])(
    'of another tool gives the text of each entry, with white space %j',
    async (space) => {
      const texts = [
        `{${space}"digest" : "${entry.digest}", "mediaType":"a\\/b",${space}"size": 2.0e0, "big": 12345678901234567890}`,
        JSON.stringify(entry),
        `[ 1,${space}2 ]`,
        '"]}\\"{"',
        'null',
        `{"annotations":{"2":"b","1":"a"},"size":7,"digest":"${entry.digest}","mediaType":"x"${space}}`,
      ];
      const expectTexts = async (): Promise<void> => {
        const index = await readIndex(path);
        expect(index?.entries.map(textOf)).toEqual([texts[0], texts[1], texts[5]]);
        expect(index?.unreadable).toEqual([texts[2], texts[3], texts[4]]);
      };
      const list = texts.join(`${space},${space}`);
      await writeFile(
        path,
        `{"manifests":[1],"a":{"manifests":[2]},"manifests"${space}:${space}[${space}${list}]${space}}`,
      );
      await expectTexts();
      const pieces: Buffer[] = [];
      for await (const piece of indexLines(fieldsOf({ a: 1 }), texts)) pieces.push(piece);
      await writeFile(path, Buffer.concat(pieces));
      await expectTexts();
    },
  );

  test('may begin with a byte order mark', async () => {
    const lines = await linesOf(undefined, [entry]);
    for (const text of [lines, JSON.stringify({ manifests: [entry] })]) {
      await writeFile(path, `\uFEFF${text}`);
      expect(entriesOf(await readIndex(path))).toEqual([entry]);
    }
  });

  test.each([5, true, null, {}, ['v1']])('has its annotations checked: a name %j is no name', async (name) => {
    const odd = {
      ...entry,
      annotations: { 'org.opencontainers.image.ref.name': name, 'io.containerd.image.name': name },
    };
    await writeFile(path, JSON.stringify({ manifests: [odd] }));
    const index = await readIndex(path);
    expect(index?.entries[0]).toMatchObject({ refName: null, imageName: undefined });
    expect(entriesOf(index)).toEqual([odd]);
  });

  test.each(['{}', '{"manifests":null}', '{"manifests":[]}'])('may be empty: %s', async (text) => {
    await writeFile(path, text);
    expect((await readIndex(path))?.entries).toEqual([]);
  });

  test.each([
    '',
    '[]',
    'null',
    '{"manifests":{}}',
    '{"mediaType":"text/plain","manifests":[]}',
    '{"manifests":[',
    '\0\0',
  ])('that is none is not taken for an empty one: %j', async (text) => {
    await writeFile(path, text);
    await expect(readIndex(path)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  test('need not be there', async () => {
    expect(await readIndex(path)).toBeUndefined();
    expect(await identityOf(path)).toBe('');
    await writeFile(join(dir, 'file'), '');
    expect(await readIndex(join(dir, 'file/index.json'))).toBeUndefined();
  });

  test('has another identity after every change', async () => {
    await writeFile(path, '{}');
    const before = await identityOf(path);
    expect(await identityOf(path)).toBe(before);
    await writeFile(path, '[]');
    expect(await identityOf(path)).not.toBe(before);
    expect((await stat(path)).size).toBe(2);
  });

  test('that is large lets others run while it is written', async () => {
    let turns = 0;
    const others = setInterval(() => turns++, 0);
    const entries = Array.from({ length: 200_000 }, () => JSON.stringify(entry));
    for await (const piece of indexLines(undefined, entries)) expect(piece.length).toBeLessThan(70_000);
    clearInterval(others);
    expect(turns).toBeGreaterThan(1);
  });
});
