import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { hostBlob, withoutHeader, withoutLength } from '../../../../test/blob-host.ts';
import type { BlobHost, HostedAnswer, HostedRequest } from '../../../../test/blob-host.ts';
import { failureOf } from '../../../../test/transport-to.ts';
import { collect } from '../../../model/index.ts';
import type { BlobContent, ByteRange, Registry, TransferEvent } from '../../../model/index.ts';
import { openTransfers } from '../../../node/index.ts';
import { blobOf, randomBlob } from '../../../testing/index.ts';

import { createClient, explain } from '../index.ts';
import type { ClientOptions, PartialContent, TransferStore } from '../index.ts';

const MiB = 1024 * 1024;
const clientTo = ({ host }: BlobHost, options: Partial<ClientOptions> = {}): Registry =>
  createClient({ host, backOff: { first: 1 }, ...options });
const equal = (found: Uint8Array, expected: Uint8Array): boolean => Buffer.compare(found, expected) === 0;

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'ocikit-download-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** In all ways in which a content can be read. */
const ways: readonly [string, (content: BlobContent) => Promise<unknown>][] = [
  ['bytes()', (content) => content.bytes()],
  ['iterating', (content) => collect(content)],
  [
    'readInto()',
    async (content) => {
      const buffer = new Uint8Array(1000);
      while ((await content.readInto(buffer)) > 0);
    },
  ],
];

describe('a download that is cut', () => {
  test.each<[string, ClientOptions['parallel']]>([
    ['over one connection', false],
    ['over several connections', { ranges: 3, threshold: 8 * MiB, memory: 24 * MiB }],
    ['over as many connections as it takes', undefined],
  ])('ten times arrives whole %s, having fetched less than 1.1 times its size', async (_how, parallel) => {
    const blob = randomBlob(64 * MiB);
    const { descriptor, bytes } = blob;
    let cuts = 0;
    const hosted = await hostBlob(blob, (answer) => {
      const cutAfter = Math.floor(Math.min(answer.body.length * 0.7, bytes.length / 11));
      return cuts++ < 10 ? { ...answer, cutAfter } : answer;
    });
    const events: TransferEvent[] = [];
    const client = clientTo(hosted, { parallel });
    const content = await client.getBlob('a', descriptor.digest, { onEvent: (event) => events.push(event) });
    expect(equal(await content.bytes(), bytes)).toBe(true);
    expect(cuts).toBeGreaterThan(10);
    expect(hosted.sent).toBeLessThan(1.1 * bytes.length);
    expect(events.filter(({ type }) => type === 'resumed').length).toBeGreaterThanOrEqual(5);
    expect(events.slice(-2).map(({ type }) => type)).toEqual(['verified', 'done']);
    if (parallel === false) expect(hosted.requests).toHaveLength(11);
  });

  test('continues as long as each attempt brings a byte, though there are more cuts than attempts', async () => {
    const blob = randomBlob(50);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, cutAfter: 1 }));
    const content = await clientTo(hosted, { backOff: { first: 1, attempts: 2 } }).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.length).toBeLessThanOrEqual(50 + 1);
  });

  test.each(ways)('fails by %s when nothing more comes, after as many attempts as it may', async (_way, read) => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number }) => ({ ...answer, cutAfter: number === 1 ? 2000 : 0 }));
    const content = await clientTo(hosted, { backOff: { first: 1, attempts: 4 } }).getBlob('a', blob.descriptor.digest);
    const error = await failureOf(read(content));
    expect(error).toMatchObject({ code: 'UNAVAILABLE' });
    expect(hosted.requests).toHaveLength(4);
    expect(explain(error)?.requests).toHaveLength(4);
  });

  test('is not resumed if nothing is to be tried again', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, cutAfter: 2000 }));
    const content = await clientTo(hosted, { backOff: false }).getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(hosted.requests).toHaveLength(1);
  });

  test('is resumed if the registry refuses for a moment with 503', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number }) => {
      if (number === 1) return { ...answer, cutAfter: 2000 };
      return number < 4 ? { status: 503, headers: { 'content-length': '0' }, body: new Uint8Array() } : answer;
    });
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.map(({ range }) => range?.start)).toEqual([undefined, 2000, 2000, 2000]);
  });

  test('skips the bytes that it has if the registry ignores ranges, but not for ever', async () => {
    const blob = randomBlob(MiB);
    const ignores = (answer: HostedAnswer): HostedAnswer => ({
      ...answer,
      status: 200,
      headers: { 'content-length': `${MiB}` },
      body: blob.bytes,
    });
    const hosted = await hostBlob(blob, (answer, { number }) =>
      number === 1 ? { ...answer, cutAfter: 700_000 } : ignores(answer),
    );
    expect(equal(await (await clientTo(hosted).getBlob('a', blob.descriptor.digest)).bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests).toHaveLength(2);

    const stubborn = await hostBlob(blob, (answer, { number }) => ({
      ...ignores(answer),
      cutAfter: 10_000 * number,
    }));
    const content = await clientTo(stubborn).getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'UNKNOWN' });
    expect(stubborn.requests.length).toBeLessThan(10);
  });

  test.each<[string, (answer: HostedAnswer) => HostedAnswer]>([
    [
      'begins elsewhere',
      (answer) => ({ ...answer, headers: { ...answer.headers, 'content-range': 'bytes 1999-4998/5000' } }),
    ],
    [
      'goes on beyond',
      (answer) => ({ ...answer, headers: { ...answer.headers, 'content-range': 'bytes 2000-5000/5001' } }),
    ],
    [
      'is of a blob of another size',
      (answer) => ({ ...answer, headers: { ...answer.headers, 'content-range': 'bytes 2000-4999/6000' } }),
    ],
    ['does not say where it begins', (answer) => withoutHeader(answer, 'content-range')],
    ['says nonsense', (answer) => ({ ...answer, headers: { ...answer.headers, 'content-range': 'bytes x-y/z' } })],
    [
      'has another length than it says',
      (answer) => ({
        ...answer,
        headers: { ...answer.headers, 'content-length': '2999' },
        body: answer.body.subarray(1),
      }),
    ],
    [
      'is whole, and longer',
      (answer) => ({ ...answer, status: 200, headers: { 'content-length': '6000' }, body: new Uint8Array(6000) }),
    ],
    [
      'is an end',
      () => ({
        status: 416,
        headers: { 'content-range': 'bytes */5000', 'content-length': '0' },
        body: new Uint8Array(),
      }),
    ],
  ])('is not resumed by an answer that %s', async (what, change) => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number }) =>
      number === 1 ? { ...answer, cutAfter: 2000 } : change(answer),
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    const error = await failureOf(content.bytes());
    expect(error).toMatchObject({ code: 'UNKNOWN' });
    // A range whose end was left open is asked for once more with it: some registries know no other.
    const count = hosted.requests.length;
    expect(count).toBe(what === 'is an end' ? 3 : 2);
    expect(explain(error)?.requests).toHaveLength(count);
  });

  test('is not resumed by an answer that names another digest', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number }) =>
      number === 1
        ? { ...answer, cutAfter: 2000 }
        : { ...answer, headers: { ...answer.headers, 'docker-content-digest': randomBlob().descriptor.digest } },
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(hosted.requests).toHaveLength(2);
  });

  test('continues after answers that are shorter than requested', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number, range = { start: 0, end: 5000 } }) => {
      if (number === 1) return { ...answer, cutAfter: 1500 };
      const end = Math.min(range.start + 1000, range.end);
      const headers = {
        'content-range': `bytes ${range.start}-${end - 1}/5000`,
        'content-length': `${end - range.start}`,
      };
      return { ...answer, headers, body: blob.bytes.subarray(range.start, end) };
    });
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests.map(({ range }) => range?.start)).toEqual([undefined, 1500, 2500, 3500, 4500]);
  });

  test('reports it, and ends with its signal', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, cutAfter: 1000 }));
    const retried: unknown[] = [];
    const controller = new AbortController();
    const reason = new Error('no longer wanted');
    const client = clientTo(hosted, {
      backOff: { first: 100_000, longest: 100_000 },
      onRetry: (error, delay) => {
        retried.push([error, delay]);
        controller.abort(reason);
      },
    });
    const content = await client.getBlob('a', blob.descriptor.digest, { signal: controller.signal });
    await expect(content.bytes()).rejects.toBe(reason);
    expect(retried).toEqual([[expect.objectContaining({ code: 'UNAVAILABLE' }), expect.any(Number)]]);
  });

  test('is given up by cancel(), also while it waits', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, cutAfter: 1000 }));
    const opened: BlobContent[] = [];
    const client = clientTo(hosted, {
      backOff: { first: 100_000, longest: 100_000 },
      onRetry: () => void opened[0]?.cancel(),
    });
    const content = await client.getBlob('a', blob.descriptor.digest);
    opened.push(content);
    await expect(content.bytes()).rejects.toMatchObject({ name: 'AbortError' });
    expect(hosted.requests).toHaveLength(1);
  });
});

describe('a download that is wrong', () => {
  const changed = (bytes: Uint8Array, at: number): Uint8Array => {
    const copy = bytes.slice();
    copy.set([(copy[at] ?? 0) ^ 1], at);
    return copy;
  };

  test.each(ways)('by one bit is found out by %s, and not tried again', async (_way, read) => {
    const blob = randomBlob(300_000);
    for (const at of [0, 150_000, 299_999]) {
      const hosted = await hostBlob(blob, (answer) => ({ ...answer, body: changed(blob.bytes, at) }));
      const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
      const error = await failureOf(read(content));
      expect(error).toMatchObject({ code: 'DIGEST_INVALID' });
      expect(hosted.requests).toHaveLength(1);
      expect(explain(error)?.requests).toHaveLength(1);
    }
  });

  // A registry that answers with other content and its digest is believed by clients that compare with that.
  test.each(ways)('but names its own digest is found out by %s', async (_way, read) => {
    const [wanted, other] = [randomBlob(1000), randomBlob(1000)];
    const hosted = await hostBlob(other);
    await expect(clientTo(hosted).getBlob('a', wanted.descriptor.digest).then(read)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
    const silent = await hostBlob(other, (answer) => withoutHeader(answer, 'docker-content-digest'));
    await expect(clientTo(silent).getBlob('a', wanted.descriptor.digest).then(read)).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
  });

  test.each(ways)('in the part that came after a cut is found out by %s', async (_way, read) => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { number }) =>
      number === 1 ? { ...answer, cutAfter: 2000 } : { ...answer, body: changed(answer.body, 100) },
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest);
    await expect(read(content)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(hosted.requests).toHaveLength(2);
  });

  test('is handed on if the caller verifies it, but not with another size', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, body: changed(blob.bytes, 10) }));
    const events: TransferEvent[] = [];
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, {
      verify: false,
      onEvent: (event) => events.push(event),
    });
    expect(equal(await content.bytes(), changed(blob.bytes, 10))).toBe(true);
    expect(events.map(({ type }) => type)).not.toContain('verified');
    const long = await hostBlob(blob, (answer, { method }) =>
      method === 'HEAD' ? answer : withoutLength({ ...answer, body: Buffer.concat([blob.bytes, Buffer.from('more')]) }),
    );
    const longer = await clientTo(long).getBlob('a', blob.descriptor.digest, { verify: false, size: 5000 });
    await expect(longer.bytes()).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });

  test.each(ways)('as it is empty is found out by %s', async (_way, read) => {
    const empty = blobOf(new Uint8Array());
    const hosted = await hostBlob(empty, (answer) => ({ ...answer, headers: { 'content-length': '0' } }));
    const { digest } = randomBlob(1000).descriptor;
    await expect(clientTo(hosted).getBlob('a', digest).then(read)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    const content = await clientTo(hosted).getBlob('a', empty.descriptor.digest);
    expect(content.descriptor.size).toBe(0);
    await read(content);
  });

  test.each(ways)('as it is longer than announced is found out by %s', async (_way, read) => {
    const blob = randomBlob(5000);
    // Chunks have no length of their own: the caller knows it.
    const hosted = await hostBlob(blob, (answer, { method }) =>
      method === 'HEAD' ? answer : withoutLength({ ...answer, body: Buffer.concat([blob.bytes, Buffer.from('more')]) }),
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { size: 5000 });
    await expect(read(content)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(hosted.requests.map(({ method }) => method)).toEqual(['GET']);
  });

  test.each(ways)('as it ends too early each time is found out by %s', async (_way, read) => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer, { method, range }) => {
      if (method === 'HEAD') return answer;
      const end = Math.min(3000, range?.end ?? 3000) - (range?.start ?? 0);
      return withoutLength({ ...answer, body: answer.body.subarray(0, Math.max(0, end)) });
    });
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { size: 5000 });
    await expect(read(content)).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    expect(hosted.requests.length).toBeLessThan(5);
  });
});

describe('a registry with habits of its own', () => {
  test('may send blobs in chunks, whose size the caller knows', async () => {
    const blob = randomBlob(300_000);
    const hosted = await hostBlob(blob, (answer, { method }) => (method === 'HEAD' ? answer : withoutLength(answer)));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { size: 300_000 });
    expect(content.descriptor).toEqual(blob.descriptor);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
  });

  test.each([
    [
      'nowhere but in a range',
      (answer: HostedAnswer, { range }: HostedRequest) => (range === undefined ? withoutLength(answer) : answer),
    ],
    [
      'not to a HEAD, which it does not allow',
      (answer: HostedAnswer, { method }: HostedRequest) =>
        method === 'HEAD' ? { status: 405, headers: {}, body: new Uint8Array() } : answer,
    ],
  ])('may say their size %s', async (_where, change) => {
    const blob = randomBlob(3000);
    const hosted = await hostBlob(blob, change);
    const client = clientTo(hosted);
    expect(await client.resolveBlob('a', blob.descriptor.digest)).toEqual(blob.descriptor);
    expect(equal(await (await client.getBlob('a', blob.descriptor.digest)).bytes(), blob.bytes)).toBe(true);

    const empty = blobOf('');
    const other = await hostBlob(empty, change);
    expect(await clientTo(other).resolveBlob('a', empty.descriptor.digest)).toEqual(empty.descriptor);
  });

  test('may never say that the empty blob is empty', async () => {
    for (const algorithm of ['sha256', 'sha512']) {
      const blob = blobOf('', { algorithm });
      const client = clientTo(
        await hostBlob(blob, (answer) => withoutLength({ ...answer, status: 200, body: blob.bytes })),
      );
      expect(await client.resolveBlob('a', blob.descriptor.digest)).toEqual(blob.descriptor);
      expect(await (await client.getBlob('a', blob.descriptor.digest)).bytes()).toHaveLength(0);
    }
  });

  test('may never say their size, which is then counted', async () => {
    const blob = randomBlob(3000);
    const hosted = await hostBlob(blob, (answer) => withoutLength({ ...answer, status: 200, body: blob.bytes }));
    const client = clientTo(hosted);
    expect(await client.resolveBlob('a', blob.descriptor.digest)).toEqual(blob.descriptor);
    expect(equal(await (await client.getBlob('a', blob.descriptor.digest)).bytes(), blob.bytes)).toBe(true);
  });

  test.each<[ByteRange, number, number]>([
    [{ start: 1000, end: 2000 }, 1000, 2000],
    [{ start: 1000 }, 1000, 3000],
    [{ last: 500 }, 2500, 3000],
    [{ last: 5000 }, 0, 3000],
    [{ start: 0, end: 10 }, 0, 10],
    [{ start: 0, end: 9000 }, 0, 3000],
    [{ start: 5000, end: 9000 }, 3000, 3000],
  ])('that ignores ranges gives the part %j all the same', async (range, start, end) => {
    const blob = randomBlob(3000);
    const hosted = await hostBlob(blob, (answer) => ({
      ...answer,
      status: 200,
      headers: { 'content-length': '3000' },
      body: blob.bytes,
    }));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range });
    expect(content.range).toEqual({ start, end });
    expect(content.descriptor).toEqual(blob.descriptor);
    expect(equal(await content.bytes(), blob.bytes.subarray(start, end))).toBe(true);
  });

  test('may not know the size of the blob that it gives a part of', async () => {
    const blob = randomBlob(3000);
    const hosted = await hostBlob(blob, (answer, { range }) =>
      range === undefined
        ? answer
        : { ...answer, headers: { ...answer.headers, 'content-range': `bytes ${range.start}-${range.end - 1}/*` } },
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range: { start: 100, end: 200 } });
    expect(content.descriptor).toEqual(blob.descriptor);
    expect(equal(await content.bytes(), blob.bytes.subarray(100, 200))).toBe(true);
  });

  test('may refuse a range past the end without naming the end', async () => {
    const blob = randomBlob(3000);
    const hosted = await hostBlob(blob, (answer) =>
      answer.status === 416 ? { ...answer, headers: { 'content-length': '0' } } : answer,
    );
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range: { start: 4000 } });
    expect(content.range).toEqual({ start: 3000, end: 3000 });
    expect(await content.bytes()).toHaveLength(0);
  });
});

describe('a part of a blob', () => {
  test('is resumed after a cut, up to its end', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, cutAfter: 700 }));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range: { start: 1000, end: 3000 } });
    expect(equal(await content.bytes(), blob.bytes.subarray(1000, 3000))).toBe(true);
    expect(hosted.requests.map(({ range }) => range)).toEqual([
      { start: 1000, end: 3000 },
      { start: 1700, end: 3000 },
      { start: 2400, end: 3000 },
    ]);
  });

  test('that is all of it is verified', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({ ...answer, body: new Uint8Array(answer.body.length) }));
    for (const range of [{ start: 0 }, { start: 0, end: 5000 }, { last: 5000 }, { start: 0, end: 9999 }]) {
      const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range });
      await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    }
    expect(hosted.requests).toHaveLength(4);
  });

  test('that is longer than asked for is found out', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => withoutLength({ ...answer, body: blob.bytes }));
    const content = await clientTo(hosted).getBlob('a', blob.descriptor.digest, { range: { start: 10, end: 20 } });
    await expect(content.bytes()).rejects.toMatchObject({ code: 'SIZE_INVALID' });
  });
});

describe('what was fetched before', () => {
  test('is kept when a process stops in the middle, and the next one resumes it', async () => {
    const blob = randomBlob(3 * MiB);
    const hosted = await hostBlob(blob);
    const directory = await newDirectory();
    const first = await clientTo(hosted, { transfers: openTransfers(directory) }).getBlob('a', blob.descriptor.digest);
    let read = 0;
    for await (const piece of first) {
      read += piece.length;
      if (read > MiB) break;
    }
    const events: TransferEvent[] = [];
    const second = await clientTo(hosted, { transfers: openTransfers(directory) }).getBlob(
      'a',
      blob.descriptor.digest,
      {
        onEvent: (event) => events.push(event),
      },
    );
    expect(equal(await second.bytes(), blob.bytes)).toBe(true);
    expect(hosted.requests[1]?.range?.start).toBeGreaterThanOrEqual(read);
    expect(events.find(({ type }) => type === 'resumed')).toMatchObject({ at: hosted.requests[1]?.range?.start });
    expect(await readdir(directory)).toEqual([]);
  });

  /** The part of the blob that an earlier process has saved. */
  async function kept(
    hosted: BlobHost,
    digest: string,
    bytes: Uint8Array,
  ): Promise<{ directory: string; client: Registry }> {
    const directory = await newDirectory();
    const transfers = openTransfers(directory);
    const partial = await transfers.openPartial(`blob http://${hosted.host}/ a ${digest}`);
    await partial?.append(bytes);
    await partial?.close();
    expect(await readdir(directory)).toHaveLength(1);
    return { directory, client: clientTo(hosted, { transfers }) };
  }

  test('may be all of it', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { directory, client } = await kept(hosted, blob.descriptor.digest, blob.bytes);
    const content = await client.getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(hosted.sent).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  });

  test('is ignored if it is larger than the blob', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { directory, client } = await kept(hosted, blob.descriptor.digest, new Uint8Array(5001));
    const content = await client.getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(await readdir(directory)).toEqual([]);
  });

  test('is found out if it is wrong, and is not there the next time', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { directory, client } = await kept(hosted, blob.descriptor.digest, new Uint8Array(1000));
    const content = await client.getBlob('a', blob.descriptor.digest);
    await expect(content.bytes()).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
    expect(await readdir(directory)).toEqual([]);
    const again = await client.getBlob('a', blob.descriptor.digest);
    expect(equal(await again.bytes(), blob.bytes)).toBe(true);
  });

  test('is skipped where the registry ignores ranges', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, (answer) => ({
      ...answer,
      status: 200,
      headers: { 'content-length': '5000' },
      body: blob.bytes,
    }));
    const { directory, client } = await kept(hosted, blob.descriptor.digest, blob.bytes.subarray(0, 1000));
    const content = await client.getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(await readdir(directory)).toEqual([]);
  });

  test('stays where the registry cannot be reached, or refuses', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob, () => ({
      status: 403,
      headers: { 'content-length': '0' },
      body: new Uint8Array(),
    }));
    const { directory, client } = await kept(hosted, blob.descriptor.digest, blob.bytes.subarray(0, 1000));
    await expect(client.getBlob('a', blob.descriptor.digest)).rejects.toMatchObject({ code: 'DENIED' });
    expect(await readdir(directory)).toHaveLength(1);
  });

  test('is not shown to a caller of another repository', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { client } = await kept(hosted, blob.descriptor.digest, blob.bytes.subarray(0, 1000));
    await (await client.getBlob('b', blob.descriptor.digest)).bytes();
    expect(hosted.requests.map(({ range }) => range)).toEqual([undefined]);
  });

  test('is one reader’s at a time; another one reads without it', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { directory, client } = await kept(hosted, blob.descriptor.digest, blob.bytes.subarray(0, 1000));
    const [one, other] = [
      await client.getBlob('a', blob.descriptor.digest),
      await client.getBlob('a', blob.descriptor.digest),
    ];
    expect(hosted.requests.map(({ range }) => range?.start)).toEqual([1000, undefined]);
    expect(equal(await other.bytes(), blob.bytes)).toBe(true);
    expect(equal(await one.bytes(), blob.bytes)).toBe(true);
    expect(await readdir(directory)).toEqual([]);
  });

  test('is released, and kept, by cancel()', async () => {
    const blob = randomBlob(5000);
    const hosted = await hostBlob(blob);
    const { client } = await kept(hosted, blob.descriptor.digest, blob.bytes.subarray(0, 1000));
    await (await client.getBlob('a', blob.descriptor.digest)).cancel();
    const content = await client.getBlob('a', blob.descriptor.digest);
    expect(hosted.requests[1]?.range?.start).toBe(1000);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
  });

  test('of a part of a blob is nothing', async () => {
    const blob = randomBlob(5000);
    const directory = await newDirectory();
    const hosted = await hostBlob(blob);
    const client = clientTo(hosted, { transfers: openTransfers(directory) });
    const content = await client.getBlob('a', blob.descriptor.digest, { range: { start: 10, end: 20 } });
    expect(await readdir(directory)).toEqual([]);
    expect(await content.bytes()).toHaveLength(10);
  });

  test.each(['append', 'read'] as const)('does no harm when its medium fails to %s', async (method) => {
    const blob = randomBlob(300_000);
    const hosted = await hostBlob(blob);
    let removed = 0;
    const partial: PartialContent = {
      size: 1000,
      async *read() {
        yield blob.bytes.subarray(0, 500);
        if (method === 'read') throw new Error('EIO');
        yield blob.bytes.subarray(500, 1000);
      },
      async append() {
        if (method === 'append') throw new Error('ENOSPC');
      },
      async close() {
        throw new Error('EIO');
      },
      async remove() {
        removed++;
        throw new Error('EIO');
      },
    };
    const transfers: TransferStore = {
      note: async () => undefined,
      setNote: async () => undefined,
      openPartial: async () => partial,
    };
    const content = await clientTo(hosted, { transfers }).getBlob('a', blob.descriptor.digest);
    expect(equal(await content.bytes(), blob.bytes)).toBe(true);
    expect(removed).toBe(1);
  });
});

test('a content that is not read releases its connection, and can be read later all the same', async () => {
  const blob = randomBlob(5 * MiB);
  const hosted = await hostBlob(blob);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let content: BlobContent;
  try {
    content = await clientTo(hosted, { backOff: false }).getBlob('a', blob.descriptor.digest);
    vi.advanceTimersByTime(31_000);
  } finally {
    vi.useRealTimers();
  }
  expect(equal(await content.bytes(), blob.bytes)).toBe(true);
  expect(hosted.requests).toHaveLength(2);
});

describe('more contents than there may be requests', () => {
  const opened = async (
    count: number,
    options: Partial<ClientOptions>,
  ): Promise<{ contents: BlobContent[]; bytes: Uint8Array }> => {
    const blob = randomBlob(4 * MiB);
    const client = clientTo(await hostBlob(blob), options);
    const contents = await Promise.all(
      Array.from({ length: count }, () => client.getBlob('a', blob.descriptor.digest)),
    );
    return { contents, bytes: blob.bytes };
  };

  test('can be opened before the first is read', async () => {
    const { contents, bytes } = await opened(4, { concurrency: { download: 2 } });
    for (const content of contents) expect(equal(await content.bytes(), bytes)).toBe(true);
  });

  test('can be read by turns', async () => {
    const { contents, bytes } = await opened(3, { concurrency: { download: 1 } });
    const all = contents.map(() => new Uint8Array(bytes.length));
    const buffer = new Uint8Array(MiB);
    for (let at = 0; at < bytes.length;) {
      const counts: number[] = [];
      for (const [i, content] of contents.entries()) {
        let count = 0;
        while (count < Math.min(buffer.length, bytes.length - at)) {
          const read = await content.readInto(buffer.subarray(count));
          all[i]?.set(buffer.subarray(count, count + read), at + count);
          count += read;
        }
        counts.push(count);
      }
      at += counts[0] ?? 0;
    }
    for (const found of all) expect(equal(found, bytes)).toBe(true);
  });
});
