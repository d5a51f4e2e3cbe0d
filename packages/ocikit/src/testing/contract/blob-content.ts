// Cases for the content of a blob: the ways to read it, cancelling it, and limits.
import { collect } from '../../model/index.ts';
import type { BlobContent, ByteRange } from '../../model/index.ts';
import { equal, fails, group, holds, rejects, sameBytes } from '../cases/index.ts';
import type { DefineGroup, Scene } from '../cases/index.ts';
import { randomBlob } from '../content/index.ts';

const size = 700_001;

const ways: readonly [way: string, read: (content: BlobContent) => Promise<Uint8Array>][] = [
  ['iterating', async (content) => joined(await collect(content))],
  ['stream()', async (content) => joined(await piecesOf(content.stream()))],
  ['bytes()', (content) => content.bytes()],
  ['readInto() with small buffers', (content) => readInto(content, 1009)],
  ['readInto() with a buffer that is too large', (content) => readInto(content, size + 1)],
];

const parts: readonly [what: string, range: ByteRange | undefined][] = [
  ['a whole blob', undefined],
  ['a part of a blob', { start: 12_345, end: 600_000 }],
  ['the last bytes of a blob', { last: 70_001 }],
  ['an empty part of a blob', { start: 5, end: 5 }],
];

/** The cases for `BlobContent`: each way to read it, and its end. */
export const blobContent: DefineGroup = group('the content of a blob', [], (test) => {
  for (const [what, range] of parts) {
    for (const [way, read] of ways) {
      test(`gives ${what} by ${way}`, async (scene) => {
        const { open, bytes } = await stored(scene);
        const content = await open(range);
        sameBytes(await read(content), bytes.subarray(content.range.start, content.range.end), what);
      });

      test(`gives ${what} by ${way} after open()`, async (scene) => {
        const { open, bytes } = await stored(scene);
        const content = await open(range);
        await content.open();
        await content.open();
        sameBytes(await read(content), bytes.subarray(content.range.start, content.range.end), what);
      });
    }
  }

  test('says the form in which to read it', async (scene) => {
    const content = await (await stored(scene)).open();
    holds(['pieces', 'buffer'].includes(content.form), `expected the form pieces or buffer, but it is ${content.form}`);
    await content.cancel();
  });

  test('stays at its end', async (scene) => {
    const content = await (await stored(scene)).open({ start: 0, end: 10 });
    const buffer = new Uint8Array(100);
    let count = 0;
    while (count < 10) count += await content.readInto(buffer);
    equal(count, 10, 'the bytes that were read');
    equal(await content.readInto(buffer), 0, 'readInto at the end');
    equal(await content.readInto(buffer), 0, 'readInto at the end, again');
  });

  for (const [first] of ways) {
    for (const [second] of ways.slice(0, 4)) {
      test(`cannot be read by ${second} after it was read by ${first}`, async (scene) => {
        const { open } = await stored(scene);
        const content = await open();
        await wayNamed(first)(content);
        const both = first.startsWith('readInto') && second.startsWith('readInto');
        if (both) equal(await content.readInto(new Uint8Array(10)), 0, 'readInto at the end');
        else await fails(wayNamed(second)(content), `${second} after ${first}`);
      });
    }
  }

  for (const [way, read] of ways.slice(0, 3)) {
    test(`cannot be read by ${way} after readInto() has read a part of it`, async (scene) => {
      const content = await (await stored(scene)).open();
      await content.readInto(new Uint8Array(10));
      await fails(read(content), `${way} after readInto()`);
      await content.cancel();
    });
  }

  for (const [way, read] of ways) {
    test(`cannot be read by ${way} after it was cancelled`, async (scene) => {
      const { open } = await stored(scene);
      const unread = await open();
      await unread.cancel();
      await fails(read(unread), `${way} after cancel()`);
      const opened = await open();
      await opened.open();
      await opened.cancel();
      await fails(read(opened), `${way} after open() and cancel()`);
    });
  }

  test('can be cancelled at any time and more than once', async (scene) => {
    const { open } = await stored(scene);
    const unread = await open();
    await unread.cancel();
    await unread.cancel();
    const begun = await open();
    await begun.readInto(new Uint8Array(10));
    await begun.cancel();
    await begun.cancel();
    const read = await open();
    await read.bytes();
    await read.cancel();
    const disposed = await open();
    await disposed[Symbol.asyncDispose]();
    await fails(disposed.bytes(), 'bytes() after its disposal');
  });

  test('is released when an iteration stops early', async (scene) => {
    const content = await (await stored(scene)).open();
    for await (const piece of content) {
      holds(piece.length > 0, 'expected a first piece with bytes, but it is empty');
      break;
    }
    await fails(content.bytes(), 'bytes() after an iteration that stopped early');
  });

  test('is released when a stream is cancelled', async (scene) => {
    const { open } = await stored(scene);
    const unread = await open();
    await unread.stream().cancel();
    await fails(unread.bytes(), 'bytes() after a stream that was cancelled unread');
    const begun = await open();
    const reader = begun.stream().getReader();
    await reader.read();
    await reader.cancel();
    await fails(begun.bytes(), 'bytes() after a stream that was cancelled');
  });

  test('refuses to read more bytes into memory than the limit', async (scene) => {
    const { open, bytes } = await stored(scene);
    await rejects((await open()).bytes(size - 1), 'CONTENT_TOO_LARGE', 'one byte too many');
    await rejects((await open({ last: 10 })).bytes(9), 'CONTENT_TOO_LARGE', 'one byte too many of a part');
    sameBytes(await (await open()).bytes(size), bytes, 'as many bytes as the limit');
    sameBytes(await (await open({ last: 10 })).bytes(10), bytes.subarray(-10), 'as many bytes of a part as the limit');
    equal((await (await open({ last: 0 })).bytes(0)).length, 0, 'no bytes');
  });

  test('can be read while others read the same blob', async (scene) => {
    const { open, bytes } = await stored(scene);
    const contents = await Promise.all(Array.from({ length: 8 }, () => open()));
    const all = await Promise.all(contents.map((content) => readInto(content, 50_000)));
    for (const [i, read] of all.entries()) sameBytes(read, bytes, `reader ${i}`);
  });
});

/** A blob of 700,001 bytes. */
async function stored({ registry, origin, repository }: Scene): Promise<{
  bytes: Uint8Array;
  open: (range?: ByteRange) => Promise<BlobContent>;
}> {
  const name = repository();
  const { descriptor, bytes } = randomBlob(size);
  await origin.pushBlob(name, descriptor, bytes);
  return { bytes, open: (range) => registry.getBlob(name, descriptor.digest, { range }) };
}

function wayNamed(name: string): (content: BlobContent) => Promise<Uint8Array> {
  return ways.find(([way]) => way === name)?.[1] ?? ((content) => content.bytes());
}

async function readInto(content: BlobContent, length: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(length);
  const pieces: Uint8Array[] = [];
  for (;;) {
    const count = await content.readInto(buffer);
    if (count === 0) return joined(pieces);
    pieces.push(buffer.slice(0, count));
  }
}

async function piecesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array[]> {
  const reader = stream.getReader();
  const pieces: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return pieces;
    pieces.push(value);
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
