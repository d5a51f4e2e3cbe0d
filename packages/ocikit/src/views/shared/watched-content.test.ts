import { describe, expect, test } from 'vitest';

import { createContent } from '../../model/index.ts';
import type { BlobContent, ContentSource } from '../../model/index.ts';
import { randomBlob } from '../../testing/index.ts';

import { watchContent } from './watched-content.ts';

const { descriptor, bytes } = randomBlob(10_000);
const broken = new Error('the disk is gone');
const told = new Error('it cannot be read');

interface Watched {
  content: BlobContent;
  ends: [bytes: number, error: unknown][];
}

function watched(source: ContentSource): Watched {
  const ends: Watched['ends'] = [];
  const content = watchContent(createContent({ descriptor, source }), {
    failed: (error) => (error === broken ? told : error),
    ended: (count, failure) => void ends.push([count, failure?.error]),
  });
  return { content, ends };
}

/** Gives 4,000 bytes, and then fails. */
const failing: ContentSource = {
  open: async () => {
    let at = 0;
    return {
      async readInto(buffer) {
        if (at === 4000) throw broken;
        const count = Math.min(buffer.length, 4000 - at);
        buffer.set(bytes.subarray(at, at + count));
        at += count;
        return count;
      },
      close: async () => undefined,
    };
  },
};
const unopened: ContentSource = { open: () => Promise.reject(broken) };

const ways: Record<string, (content: BlobContent) => Promise<number>> = {
  iterating: async (content) => {
    let count = 0;
    for await (const piece of content) count += piece.length;
    return count;
  },
  'iterating what is lent': async (content) => {
    let count = 0;
    for await (const piece of content.lent()) count += piece.length;
    return count;
  },
  streaming: async (content) => {
    let count = 0;
    for await (const piece of content.stream()) count += piece.length;
    return count;
  },
  'reading into buffers': async (content) => {
    let count = 0;
    for (;;) {
      const more = await content.readInto(new Uint8Array(1000));
      if (more === 0) return count;
      count += more;
    }
  },
  'reading all bytes': async (content) => (await content.bytes()).length,
};

describe.each(Object.entries(ways))('%s', (way, read) => {
  test('gives all bytes, and ends once', async () => {
    const { content, ends } = watched({ pieces: [bytes] });
    expect([content.descriptor, content.range, content.form]).toEqual([
      descriptor,
      { start: 0, end: 10_000 },
      'pieces',
    ]);
    expect(await read(content)).toBe(10_000);
    await content.cancel();
    expect(ends).toEqual([[10_000, undefined]]);
  });

  test('fails with the watcher’s error, and tells the watcher the original one', async () => {
    const { content, ends } = watched(failing);
    await expect(read(content)).rejects.toBe(told);
    await content.cancel();
    // A reader of all bytes at once gets none of them.
    expect(ends).toEqual([[way === 'reading all bytes' ? 0 : 4000, broken]]);
  });
});

test('opening a watched content fails with the watcher’s error', async () => {
  const { content, ends } = watched(unopened);
  await expect(content.open()).rejects.toBe(told);
  expect(ends).toEqual([[0, broken]]);
});

test('cancelling a watched content ends it, and cancels the content inside', async () => {
  for (const leave of [
    async (content: BlobContent) => {
      for await (const piece of content) if (piece.length > 0) break;
    },
    async (content: BlobContent) => {
      const reader = content.stream().getReader();
      await reader.read();
      await reader.cancel();
    },
    async (content: BlobContent) => {
      await content.readInto(new Uint8Array(100));
      await content[Symbol.asyncDispose]();
    },
  ]) {
    let closed = 0;
    const { content, ends } = watched({
      open: async () => ({
        readInto: async (buffer) => buffer.fill(1, 0, 100).subarray(0, 100).length,
        close: async () => void closed++,
      }),
    });
    await leave(content);
    expect([ends, closed]).toEqual([[[100, undefined]], 1]);
  }
});
