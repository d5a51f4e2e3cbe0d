import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf } from '../../../model/index.ts';

import { Files } from '../files/index.ts';

import {
  encodeFrame,
  journalGenerations,
  quarantine,
  randomMask,
  readContent,
  readJournal,
  readMore,
  truncateJournal,
} from './journal-file.ts';
import type { ContentRecord, JournalPlace, JournalRecord } from './journal-file.ts';
import { Journal } from './journal.ts';

const digest = digestOf(new Uint8Array());
const nothing = (): undefined => undefined;
const silent = { apply: nothing, undo: nothing };

function tag(name: string): JournalRecord {
  return { op: 'tag', repository: 'app', tag: name, digest };
}

/** Synchronises nothing, counts, waits and fails as it is told. */
class TestFiles extends Files {
  syncs = 0;
  failure: Error | undefined;
  gate: Promise<void> = Promise.resolve();

  override async syncData(_handle: FileHandle): Promise<void> {
    this.syncs++;
    await this.gate;
    if (this.failure !== undefined) throw this.failure;
  }
}

let dir: string;
let files: TestFiles;
let journal: Journal;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-journal-'));
  files = new TestFiles('none');
  journal = new Journal(dir, files, 1, nothing);
});
afterEach(async () => {
  await journal.close();
  await rm(dir, { recursive: true });
});

const path = (generation = 1): string => join(dir, `journal-${generation}`);

describe('reading a journal', () => {
  test('gives back what was appended, in order and as it was grouped', async () => {
    await journal.append({ records: [tag('a'), tag('b')] }, silent);
    await journal.append({ records: [tag('c')] }, silent);
    const { records, damaged, length } = await readJournal(dir, 1);
    expect(records).toEqual([[tag('a'), tag('b')], [tag('c')]]);
    expect(damaged).toEqual([]);
    expect(length).toBe((await readFile(path())).length);
  });

  test('says where the bytes of files are, also in what was added since', async () => {
    const file = (text: string): ContentRecord => {
      const bytes = Buffer.from(text);
      return { op: 'content', directory: 'app', digest: digestOf(bytes), size: bytes.length, mask: randomMask() };
    };
    const places: JournalPlace[] = [];
    const outcome = { apply: (place: JournalPlace) => void places.push(place), undo: nothing };
    const append = (...texts: string[]): Promise<void> =>
      journal.append(
        { records: [tag('a'), ...texts.map(file)], contents: texts.map((text) => Buffer.from(text)) },
        outcome,
      );
    await append('one', 'and another');
    await append('');
    const before = await readJournal(dir, 1);
    await append('later');
    const more = await readMore(dir, 1, before);
    const found = [...before.contents, ...(more?.contents ?? [])];
    const texts = found.map(async (content) =>
      content.op === 'content' ? readContent(dir, { ...content, generation: 1 }) : undefined,
    );
    expect((await Promise.all(texts)).map(String)).toEqual(['one', 'and another', '', 'later']);
    expect(before.records).toEqual([[tag('a')], [tag('a')]]);
    expect(places).toEqual([0, 2, 3].map((i) => ({ generation: 1, at: found[i]?.at })));
    expect(journal.contentLength).toBe('oneand anotherlater'.length);
    expect((await readJournal(dir, 1)).contents).toEqual(found);
    const [one] = found;
    if (one?.op !== 'content') throw new TypeError('the first is none');
    for (const place of [{ at: one.at + 1 }, { at: found[3]?.at ?? 0 }, { generation: 2 }]) {
      expect(readContent(dir, { ...one, generation: 1, ...place })).toBeUndefined();
    }
  });

  test('is not relied on any more when what it has could not be made visible', async () => {
    const failing = {
      apply: () => {
        throw new Error('no such directory');
      },
      undo: nothing,
    };
    await expect(journal.append({ records: [tag('a')] }, failing)).rejects.toThrow('no such directory');
    expect(journal.isBroken).toBe(true);
    await expect(journal.append({ records: [tag('b')] }, silent)).rejects.toThrow('being replaced');
    expect(await journal.rotate(nothing)).toBe(1);
    await journal.append({ records: [tag('c')] }, silent);
    expect((await readJournal(dir, 2)).records).toEqual([[tag('c')]]);
  });

  test('gives what is whole, wherever the end was torn off', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    const whole = await readFile(path());
    const bytes = Buffer.concat([whole, encodeFrame([tag('b'), tag('c')])]);
    for (let end = 0; end <= bytes.length; end++) {
      await writeFile(path(), bytes.subarray(0, end));
      const { records, damaged } = await readJournal(dir, 1);
      const expected = end === bytes.length ? 2 : end >= whole.length ? 1 : 0;
      expect(records.length, `up to byte ${end}`).toBe(expected);
      expect(damaged).toEqual([]);
    }
  });

  test('goes on behind damage in the middle, whatever byte it is, and tells what was damaged', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    const from = (await readFile(path())).length;
    await appendFile(path(), encodeFrame([tag('b')]));
    const to = (await readFile(path())).length;
    await appendFile(path(), encodeFrame([tag('c')]));
    const good = await readFile(path());
    for (let at = from; at < to; at++) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ 0x55, at);
      await writeFile(path(), bad);
      const { records, damaged } = await readJournal(dir, 1);
      expect(records, `byte ${at}`).toEqual([[tag('a')], [tag('c')]]);
      expect(Buffer.concat(damaged)).toEqual(bad.subarray(from, to));
    }
  });

  test('finds the records behind a damaged beginning', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    const bytes = await readFile(path());
    await writeFile(path(), Buffer.concat([Buffer.from('X'), bytes.subarray(1)]));
    expect((await readJournal(dir, 1)).records).toEqual([[tag('a')]]);
  });

  test('takes nothing that was pushed for a record, also when what was before it is damaged', async () => {
    const bytes = Buffer.concat([Buffer.from('1234'), encodeFrame([tag('forged')]), Buffer.from('56789')]);
    const { length: size } = bytes;
    const record = { op: 'content', directory: 'app', digest: digestOf(bytes), size, mask: randomMask() } as const;
    await journal.append({ records: [record], contents: [bytes] }, silent);
    const from = 'ocikit journal 3\n'.length;
    const whole = await readFile(path());
    expect(whole.includes('forged')).toBe(false);
    for (let at = from; at < from + 12; at++) {
      const bad = Buffer.from(whole);
      bad.writeUInt8(bad.readUInt8(at) ^ 0x55, at);
      await writeFile(path(), Buffer.concat([bad, encodeFrame([tag('a')])]));
      expect((await readJournal(dir, 1)).records).toEqual([[tag('a')]]);
    }
  });

  test('keeps damaged parts in files of their own', async () => {
    const file = await quarantine(dir, 3, [Buffer.from('one'), Buffer.from('two')]);
    expect(await readFile(file, 'utf8')).toBe('onetwo');
  });

  test('finds the generations in the order of their numbers, and none where there is no directory', async () => {
    for (const generation of [10, 9, 2]) await writeFile(path(generation), '');
    await writeFile(join(dir, 'journal-x'), '');
    expect(await journalGenerations(dir)).toEqual([2, 9, 10]);
    expect(await journalGenerations(join(dir, 'none'))).toEqual([]);
  });

  test('does not take a directory that cannot be read for one without journals', async () => {
    await expect(journalGenerations(`${dir}\0`)).rejects.toThrow('null bytes');
  });

  test('can be cut at its last good record, and go on from there', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    await appendFile(path(), encodeFrame([tag('b')]).subarray(0, 9));
    const { length } = await readJournal(dir, 1);
    await truncateJournal(dir, 1, length);
    await journal.appendTo(1, { op: 'folded', directory: '', sha256: 'x' });
    const { records, damaged } = await readJournal(dir, 1);
    expect(records.flat().map(({ op }) => op)).toEqual(['tag', 'folded']);
    expect(damaged).toEqual([]);
  });
});

describe('appending to a journal', () => {
  test('makes many durable with one sync, and visible in order only then', async () => {
    const seen: number[] = [];
    let open = (): void => undefined;
    files.gate = new Promise((resolve) => {
      open = resolve;
    });
    const first = journal.append({ records: [tag('first')] }, { apply: () => seen.push(-1), undo: nothing });
    await until(() => files.syncs === 1);
    const others = Array.from({ length: 50 }, (_, i) =>
      journal.append({ records: [tag(`t${i}`)] }, { apply: () => seen.push(i), undo: nothing }),
    );
    expect(seen).toEqual([]);
    open();
    await Promise.all([first, ...others]);
    expect(files.syncs).toBe(2);
    expect(seen).toEqual([-1, ...Array.from({ length: 50 }, (_, i) => i)]);
  });

  test('fails a group together and takes all of it back before any caller is told', async () => {
    files.failure = new Error('EIO');
    const seen: string[] = [];
    const appended = ['a', 'b'].map((name) =>
      journal.append(
        { records: [tag(name)] },
        { apply: () => seen.push(`apply ${name}`), undo: () => seen.push(`undo ${name}`) },
      ),
    );
    const told = appended.map((promise) => promise.catch(() => seen.push('told')));
    await Promise.all(told);
    expect(seen).toEqual(['undo a', 'undo b', 'told', 'told']);
  });

  test('never synchronises again what could not be synchronised, and goes on in a new generation', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    files.failure = new Error('EIO');
    await expect(journal.append({ records: [tag('b')] }, silent)).rejects.toThrow('EIO');
    files.failure = undefined;
    expect(journal.isBroken).toBe(true);
    const { syncs } = files;
    await expect(journal.append({ records: [tag('c')] }, silent)).rejects.toThrow('being replaced');
    expect(files.syncs).toBe(syncs);
    expect(await journal.rotate(nothing)).toBe(1);
    await journal.append({ records: [tag('d')] }, silent);
    expect((await readJournal(dir, 2)).records).toEqual([[tag('d')]]);
  });

  test('takes back a write that failed, so that the next one follows what is whole', async () => {
    await journal.append({ records: [tag('a')] }, silent);
    // Too large for a record: nothing of it is written.
    const large = journal.append({ records: [tag('x'.repeat(17 * 1024 * 1024))] }, silent);
    await expect(large).rejects.toThrow('too large');
    await journal.append({ records: [tag('b')] }, silent);
    expect((await readJournal(dir, 1)).records).toEqual([[tag('a')], [tag('b')]]);
  });

  test('writes nothing when the directory is no longer its own', async () => {
    const other = new Journal(dir, files, 7, () => {
      throw new Error('taken away');
    });
    await expect(other.append({ records: [tag('a')] }, silent)).rejects.toThrow('taken away');
    await writeFile(path(7), 'of somebody else');
    await expect(other.remove(7)).rejects.toThrow('taken away');
    expect(await readFile(path(7), 'utf8')).toBe('of somebody else');
  });

  test('begins with a whole file, also when the attempt before failed after it was made', async () => {
    let failures = 1;
    const failing = new (class extends TestFiles {
      override async syncDirectory(): Promise<void> {
        if (failures-- > 0) throw new Error('ENOSPC');
      }
    })('none');
    const other = new Journal(dir, failing, 5, nothing);
    await expect(other.append({ records: [tag('a')] }, silent)).rejects.toThrow('ENOSPC');
    await other.append({ records: [tag('b')] }, silent);
    await other.close();
    expect((await readJournal(dir, 5)).records).toEqual([[tag('b')]]);
  });
});

describe('a new generation', () => {
  test('has everything that was appended after it was begun, and nothing from before', async () => {
    const before = journal.append({ records: [tag('a')] }, silent);
    let isRotated = false;
    const rotated = journal.rotate(() => {
      isRotated = true;
    });
    await before;
    expect(await rotated).toBe(1);
    expect(isRotated).toBe(true);
    await journal.append({ records: [tag('b')] }, silent);
    expect((await readJournal(dir, 1)).records).toEqual([[tag('a')]]);
    expect((await readJournal(dir, 2)).records).toEqual([[tag('b')]]);
    await journal.remove(1);
    expect(await readdir(dir)).toEqual(['journal-2']);
  });

  test('is not begun if nothing was written to the last', async () => {
    expect(await journal.rotate(nothing)).toBeUndefined();
    expect(journal.generation).toBe(1);
  });

  test('comes although others append without a pause', async () => {
    const over = new AbortController();
    const slow = new (class extends TestFiles {
      override async syncData(): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
      }
    })('none');
    const busy = new Journal(dir, slow, 1, nothing);
    const appendOn = async (): Promise<void> => {
      while (!over.signal.aborted) await busy.append({ records: [tag('a')] }, silent);
    };
    const writers = [appendOn(), appendOn(), appendOn()];
    await until(() => busy.length > 0);
    expect(await busy.rotate(nothing)).toBe(1);
    over.abort();
    await Promise.all(writers);
    await busy.close();
  });
});

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}
