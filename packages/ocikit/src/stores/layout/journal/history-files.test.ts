import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { collect, digestOf, historyOf } from '../../../model/index.ts';
import type { Registry } from '../../../model/index.ts';
import { imageOf, pushContent } from '../../../testing/index.ts';

import { Files } from '../files/index.ts';
import { openLayout, openLayouts } from '../index.ts';

import type { TagMoveRecord } from './journal-file.ts';
import { HistoryFiles } from './history-files.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-moves-'));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const digest = digestOf(new Uint8Array());

function moved(id: string): TagMoveRecord {
  return { op: 'tag', repository: 'app', tag: `v${id}`, digest, move: { id, at: 0 } };
}

function range(from: number, to: number): TagMoveRecord[] {
  return Array.from({ length: to - from }, (_, i) => moved(String(from + i)));
}

async function idsOf(moves: HistoryFiles, newest: readonly TagMoveRecord[] = []): Promise<number[]> {
  const found = await collect(moves.newestFirst('app', () => newest));
  return found.map(({ move }) => Number(move.id));
}

function numbers(from: number, to: number): number[] {
  return range(from, to).map(({ move }) => Number(move.id));
}

async function onlyFile(): Promise<string> {
  const [name = ''] = await readdir(dir);
  return join(dir, name);
}

describe('the files of moves', () => {
  const create = (largest?: number): HistoryFiles => new HistoryFiles(dir, new Files('none'), largest);

  test('are read from their end, across blocks', async () => {
    const moves = create();
    await moves.append('app', range(0, 5000));
    expect((await stat(await onlyFile())).size).toBeGreaterThan(4 * 64 * 1024);
    expect(await idsOf(moves)).toEqual(numbers(0, 5000).toReversed());
  });

  test('have each move once, whatever part of a journal is replayed', async () => {
    const moves = create();
    await moves.append('app', range(0, 6));
    await moves.append('app', range(3, 9));
    await moves.append('app', range(0, 9));
    await create().append('app', range(8, 10));
    expect(await idsOf(moves)).toEqual(numbers(0, 10).toReversed());
    expect(await idsOf(moves, range(7, 12))).toEqual(numbers(0, 12).toReversed());
  });

  test('have no part of a line that a crash has torn', async () => {
    const moves = create();
    await moves.append('app', range(0, 3));
    const path = await onlyFile();
    await truncate(path, (await stat(path)).size - 1);
    // The journal has it until it is written again.
    expect(await idsOf(moves)).toEqual([1, 0]);
    await moves.append('app', range(1, 4));
    expect(await idsOf(moves)).toEqual([3, 2, 1, 0]);
    expect((await readFile(path, 'utf8')).trimEnd().split('\n')).toHaveLength(4);
  });

  test('are read past damaged lines', async () => {
    const moves = create();
    await moves.append('app', range(0, 2));
    await appendFile(await onlyFile(), 'no JSON\nnull\n{"id":1}\n\n');
    await moves.append('app', range(2, 4));
    expect(await idsOf(moves)).toEqual([3, 2, 1, 0]);
  });

  test('are two at most, and the oldest moves go', async () => {
    const moves = create(2000);
    for (let at = 0; at < 100; at += 5) await moves.append('app', range(Math.max(at - 2, 0), at + 5));
    expect(await readdir(dir)).toHaveLength(2);
    const found = await idsOf(moves);
    expect(found).toEqual(numbers(100 - found.length, 100).toReversed());
    expect(found.length).toBeGreaterThan(10);
    expect(found.length).toBeLessThan(80);
  });

  test('lose nothing of what is written while it is read', async () => {
    const moves = create();
    moves.note('app', range(0, 3));
    let hasSettled = false;
    const found = await collect(
      moves.newestFirst('app', async () => {
        if (!hasSettled) await moves.flush();
        hasSettled = true;
        return moves.pending('app');
      }),
    );
    expect(found.map(({ move }) => move.id)).toEqual(['2', '1', '0']);
  });
});

describe.each([
  ['a shared layout', openLayout],
  ['a layout for each repository', openLayouts],
] as const)('the moves of %s', (_name, open) => {
  const images = Array.from({ length: 4 }, () => imageOf());

  async function tagsMoved(registry: Registry): Promise<(string | undefined)[]> {
    const found: (string | undefined)[] = [];
    for await (const move of historyOf(registry)?.moves('app') ?? []) found.push(move.digest);
    return found;
  }

  test('are known across folds and restarts, and to a reader beside the writer', async () => {
    const expected: string[] = [];
    const reader = open(dir, { durability: 'none' });
    for (const image of images) {
      const registry = open(dir, { durability: 'none' });
      for (const tag of ['latest', 'other']) {
        await pushContent(registry, 'app', image, { tags: [tag] });
        expected.unshift(image.descriptor.digest);
        expect(await tagsMoved(registry)).toEqual(expected);
        expect(await tagsMoved(reader)).toEqual(expected);
        if (tag === 'latest') await registry.fold();
        expect(await tagsMoved(registry)).toEqual(expected);
        expect(await tagsMoved(reader)).toEqual(expected);
      }
      await registry.close();
      await expect(tagsMoved(registry)).rejects.toThrow('the registry has been closed');
      expect(await tagsMoved(reader)).toEqual(expected);
    }
    expect(await tagsMoved(reader)).toEqual(expected);
    await reader.close();
  });

  test('that are queued together begin where the one before ends, also of a manifest that is deleted', async () => {
    const registry = open(dir, { durability: 'none' });
    const [first = imageOf()] = images;
    await pushContent(registry, 'app', first, { tags: ['a'] });
    await Promise.all([
      registry.pushManifest('app', first.bytes, first.mediaType, { tags: ['b'] }),
      registry.deleteTag('app', 'a'),
      registry.deleteManifest('app', first.descriptor.digest),
    ]);
    const now = new Map<string, string | undefined>();
    const found = [];
    for await (const move of historyOf(registry)?.moves('app') ?? []) found.unshift(move);
    for (const { tag, digest: to, previous } of found) {
      expect(now.get(tag)).toBe(previous);
      now.set(tag, to);
    }
    const tags = await collect(registry.tags('app'));
    expect([...now].flatMap(([tag, to]) => (to === undefined ? [] : [tag])).toSorted()).toEqual(tags);
    await registry.close();
  });
});
