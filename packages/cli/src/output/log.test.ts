import { expect, test } from 'vitest';

import { formatBytes, lineLogger } from './log.ts';

test('a request is one line: status, method, path, bytes and milliseconds', () => {
  const lines: string[] = [];
  const logger = lineLogger((line) => lines.push(line));
  logger.info?.('request', {
    method: 'GET',
    path: '/v2/a',
    query: 'n=1',
    status: 200,
    milliseconds: 1.25,
    bytes: 2048,
  });
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d 200 GET \/v2\/a\?n=1 2\.0 KiB 1\.25 ms\n$/);
});

test('an error is logged with its stack, indented below its line', () => {
  const lines: string[] = [];
  const error = new Error('first\n00:00:00.000 200 GET /forged\r');
  lineLogger((line) => lines.push(line)).error('failed', { path: '/x', error });
  const [first, second] = lines.join('').split('\n');
  expect(first).toMatch(/ error: failed path=\/x: Error: first$/);
  expect(second).toBe('    00:00:00.000 200 GET /forged\\x0d');
});

test('an unknown value is written as undefined', () => {
  const lines: string[] = [];
  lineLogger((line) => lines.push(line)).warn('odd', { size: undefined });
  expect(lines.join('')).toMatch(/ warning: odd size=undefined\n$/);
});

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1536 * 1024, '1.5 MiB'],
  [3 * 1024 ** 5, '3072.0 TiB'],
])('%i bytes are written %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
