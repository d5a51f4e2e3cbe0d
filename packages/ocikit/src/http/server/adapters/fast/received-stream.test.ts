import { expect, test } from 'vitest';

import { ChunkDecoder } from './chunk-decoder.ts';
import { ReceivedStream } from './received-stream.ts';

interface Heard {
  stream: ReceivedStream;
  /** The events of the stream, and the calls to its connection, in their order. */
  heard: string[];
}

function heardStream(): Heard {
  const heard: string[] = [];
  const flow = { pause: () => void heard.push('pause'), resume: () => void heard.push('resume') };
  const stream = new ReceivedStream(new ChunkDecoder(1000), flow, {});
  stream.on('data', (piece) => heard.push(piece.toString()));
  stream.on('end', () => heard.push('end'));
  stream.on('close', () => heard.push('close'));
  return { stream, heard };
}

test('a chunked stream holds its content until it is read, and lets its client wait', async () => {
  const { stream, heard } = heardStream();
  stream.feed(Buffer.from('3\r\nabc\r\n2\r\nd'));
  expect(heard).toEqual(['pause']);
  stream.resume();
  expect(heard).toEqual(['pause']);
  await Promise.resolve();
  expect(heard).toEqual(['pause', 'abcd', 'resume']);
  stream.feed(Buffer.from('e\r\n0\r\n\r\nGET'));
  expect(heard.slice(3)).toEqual(['e', 'end']);
  expect([stream.isComplete, stream.readableEnded, stream.rest?.toString()]).toEqual([true, true, 'GET']);
  stream.close();
  expect(heard.slice(3)).toEqual(['e', 'end']);
});

test('a complete chunked stream can be read later, in parts', async () => {
  const { stream, heard } = heardStream();
  stream.feed(Buffer.from('3\r\nabc\r\n'));
  stream.feed(Buffer.from('2\r\nde\r\n0\r\n\r\n'));
  expect(stream.content.toString()).toBe('abcde');
  stream.on('data', () => stream.pause());
  stream.resume();
  await Promise.resolve();
  expect(heard).toEqual(['pause', 'abc']);
  stream.resume();
  await Promise.resolve();
  stream.resume();
  await Promise.resolve();
  expect(heard).toEqual(['pause', 'abc', 'de', 'end']);
});

test.each([
  ['malformed', (stream: ReceivedStream) => stream.feed(Buffer.from('x')), 'BAD_REQUEST'],
  ['cut off', (stream: ReceivedStream) => stream.close(), undefined],
])('a chunked stream that is %s closes without an end', async (_name, fail, code) => {
  const { stream, heard } = heardStream();
  stream.resume();
  await Promise.resolve();
  stream.feed(Buffer.from('3\r\nabc\r\n'));
  fail(stream);
  stream.feed(Buffer.from('0\r\n\r\n'));
  stream.close();
  expect(heard).toEqual(['resume', 'abc', 'close']);
  expect([stream.destroyed, stream.readableEnded]).toEqual([true, false]);
  expect(stream.errored === null ? undefined : Reflect.get(stream.errored, 'code')).toBe(code);
});

test('a chunked stream that is discarded keeps nothing, and still finds its end', () => {
  const { stream, heard } = heardStream();
  stream.feed(Buffer.from('3\r\nabc\r\n'));
  stream.discard();
  stream.feed(Buffer.from('3\r\ndef\r\n0\r\n\r\n'));
  expect(heard).toEqual(['pause']);
  expect([stream.isComplete, stream.content.length]).toEqual([true, 0]);
});

test('the content of small chunks keeps at most twice its own memory', async () => {
  const stream = new ReceivedStream(new ChunkDecoder(1000), { pause: () => undefined, resume: () => undefined }, {});
  const kept: Buffer[] = [];
  stream.on('data', (piece) => kept.push(piece));
  stream.resume();
  await Promise.resolve();
  stream.feed(Buffer.from('8;extension\r\n01234567\r\n'.repeat(3000)));
  stream.feed(Buffer.from('800\r\n'.concat('x'.repeat(2048), '\r\n').repeat(30)));
  for (const { length, buffer } of kept) expect(buffer.byteLength).toBeLessThanOrEqual(length * 2);
  expect(kept).toHaveLength(2);
});
