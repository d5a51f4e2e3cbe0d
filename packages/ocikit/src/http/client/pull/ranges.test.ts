import type { IncomingMessage, ServerResponse } from 'node:http';

import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';

import { listen } from '../../../../test/listen.ts';
import { startServer } from '../../../../test/start-server.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';
import { blobParts, getBlobParts, resolveRange } from '../../../model/index.ts';
import type { ByteRange, Registry, ResolvedRange, TransferEvent } from '../../../model/index.ts';
import { diskBlobs } from '../../../stores/blobs/node.ts';
import { openLayout } from '../../../stores/layout/index.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';
import { randomBlob } from '../../../testing/index.ts';
import { createClient } from '../index.ts';

const { descriptor, bytes } = randomBlob(300_000);
const { digest, size } = descriptor;

/** The parts, and the bytes of each. */
async function partsOf(
  registry: Registry,
  ranges: readonly ByteRange[],
): Promise<{ range: ResolvedRange; bytes: Uint8Array }[]> {
  const parts = [];
  for await (const part of blobParts(registry, 'a', digest, ranges)) {
    expect(part.descriptor).toMatchObject({ digest, size });
    parts.push({ range: part.range, bytes: await part.bytes() });
  }
  return parts;
}

function slicesOf(ranges: readonly ByteRange[]): { range: ResolvedRange; bytes: Uint8Array }[] {
  return ranges.map((one) => {
    const range = resolveRange(one, size);
    return { range, bytes: bytes.slice(range.start, range.end) };
  });
}

async function expectParts(registry: Registry, ranges: readonly ByteRange[]): Promise<void> {
  const [found, expected] = [await partsOf(registry, ranges), slicesOf(ranges)];
  expect(found.map(({ range }) => range)).toEqual(expected.map(({ range }) => range));
  expect(found.every((part, i) => Buffer.compare(part.bytes, expected[i]?.bytes ?? new Uint8Array()) === 0)).toBe(true);
}

const some: readonly ByteRange[] = [{ start: 100, end: 5000 }, { start: 70_000, end: 190_000 }, { last: 10 }];

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** A registry with the blob, which answers requests for several ranges in a way of its own. */
async function odd(several: Answer): Promise<{ client: Registry; asked: string[]; host: string }> {
  const asked: string[] = [];
  const host = await listen((request, response) => {
    const { range } = request.headers;
    asked.push(request.method === 'GET' ? (range ?? '') : (request.method ?? ''));
    if (range?.includes(',') === true) {
      several(request, response);
      return;
    }
    const [, first = '', last = ''] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
    if (range === undefined || first === '') {
      response.writeHead(200, { 'content-length': size }).end(request.method === 'HEAD' ? undefined : bytes);
      return;
    }
    const part = bytes.subarray(Number(first), Number(last) + 1);
    response
      .writeHead(206, { 'content-range': `bytes ${first}-${last}/${size}`, 'content-length': part.length })
      .end(part);
  });
  return { client: createClient({ host }), asked, host };
}

const isSeveral = (range: string): boolean => range.includes(',');

/** A right body with several parts, before a test changes it. */
function multipart(
  ranges: readonly ByteRange[],
  boundary = 'b0undary',
): { head: Record<string, string>; body: Buffer } {
  const parts = slicesOf(ranges).flatMap(({ range, bytes: part }) => [
    Buffer.from(`\r\n--${boundary}\r\nContent-Range: bytes ${range.start}-${range.end - 1}/${size}\r\n\r\n`),
    part,
  ]);
  return {
    head: { 'content-type': `multipart/byteranges; boundary=${boundary}` },
    body: Buffer.concat([...parts, Buffer.from(`\r\n--${boundary}--\r\n`)]),
  };
}

describe('several parts of a blob', () => {
  const range = fc.oneof(
    {
      weight: 9,
      arbitrary: fc
        .tuple(fc.nat(size + 1000), fc.nat(20_000))
        .map(([start, n]): ByteRange => ({ start, end: start + n })),
    },
    { weight: 1, arbitrary: fc.nat(size).map((start): ByteRange => ({ start })) },
    { weight: 1, arbitrary: fc.nat(20_000).map((last): ByteRange => ({ last })) },
  );
  const filled = async (registry: Registry): Promise<Registry> => {
    await registry.pushBlob('a', descriptor, bytes);
    return registry;
  };
  const stores: Record<string, () => Promise<Registry>> = {
    memory: () => filled(createMemoryRegistry()),
    layout: async () => {
      const layout = openLayout(await temporaryDirectory(), { durability: 'none' });
      onTestFinished(() => layout.close());
      return filled(layout);
    },
    'disk blobs': async () => filled(createMemoryRegistry({ blobs: diskBlobs(await temporaryDirectory()) })),
  };

  test.each(Object.entries(stores))('are the slices of the bytes, from %s and a client of it', async (_name, make) => {
    const store = await make();
    const { url } = await startServer(store);
    const proxy = await startServer(createClient({ host: new URL(url).host }));
    const client = createClient({ host: new URL(url).host });
    const far = createClient({ host: new URL(proxy.url).host });
    await fc.assert(
      fc.asyncProperty(fc.array(range, { maxLength: 20 }), async (ranges) => {
        await expectParts(store, ranges);
        await expectParts(client, ranges);
        await expectParts(far, ranges);
      }),
      { numRuns: 25 },
    );
  });

  test('come in one request, and are reported once', async () => {
    const store = await filled(createMemoryRegistry());
    const requests: string[] = [];
    const server = await startServer(store, {
      middleware: [
        (exchange, next) => {
          requests.push(exchange.header('range') ?? '');
          return next(exchange);
        },
      ],
    });
    const events: TransferEvent[] = [];
    const client = createClient({ host: new URL(server.url).host });
    const content = await getBlobParts(client, 'a', digest, some, { onEvent: (event) => events.push(event) });
    expect(content.parts).toEqual(slicesOf(some).map((part) => part.range));
    expect(content.range).toEqual({ start: 100, end: size });
    expect((await content.bytes()).length).toBe(4900 + 120_000 + 10);
    expect(requests).toEqual(['bytes=100-4999,70000-189999,-10']);
    expect(events.filter(({ type }) => type !== 'bytes').map(({ type }) => type)).toEqual(['started', 'done']);
    expect(events.findLast(({ type }) => type === 'bytes')).toMatchObject({ transferred: 124_910, size });
  });

  test('can be left unread, each of them and all', async () => {
    const store = await filled(createMemoryRegistry());
    const { url } = await startServer(store);
    for (const registry of [store, createClient({ host: new URL(url).host })]) {
      const found: ResolvedRange[] = [];
      for await (const part of blobParts(registry, 'a', digest, some)) {
        found.push(part.range);
        if (found.length === 1) continue;
        if (found.length === 2) await part.readInto(new Uint8Array(10));
        else expect(Buffer.compare(await part.bytes(), bytes.subarray(-10))).toBe(0);
      }
      expect(found).toHaveLength(3);
      for await (const part of blobParts(registry, 'a', digest, some)) {
        void part;
        break;
      }
      await (await getBlobParts(registry, 'a', digest, some)).cancel();
    }
  });

  test('beyond 1024 come in several requests', async () => {
    const store = await filled(createMemoryRegistry());
    let requests = 0;
    const server = await startServer(store, { middleware: [(exchange, next) => (requests++, next(exchange))] });
    const ranges = Array.from({ length: 2100 }, (_, i) => ({ start: i * 100, end: i * 100 + 7 }));
    await expectParts(createClient({ host: new URL(server.url).host }), ranges);
    expect(requests).toBe(3);
  });

  test.each<ByteRange>([{ start: 2, end: 1 }, { start: -1 }, { last: 0.5 }])(
    'with the malformed range %j are refused before a request',
    async (wrong) => {
      const client = createClient({ host: '127.0.0.1:1' });
      await expect(getBlobParts(client, 'a', digest, [{ start: 0, end: 1 }, wrong])).rejects.toMatchObject({
        code: 'RANGE_INVALID',
      });
    },
  );

  test('of an unknown blob are not found', async () => {
    const server = await startServer(await filled(createMemoryRegistry()));
    const client = createClient({ host: new URL(server.url).host });
    const other = randomBlob().descriptor.digest;
    await expect(getBlobParts(client, 'a', other, some)).rejects.toMatchObject({ code: 'BLOB_UNKNOWN' });
  });
});

describe('a registry that cannot send several parts', () => {
  const refusals: [name: string, answer: Answer][] = [
    ['with the whole blob', (_, response) => response.writeHead(200, { 'content-length': size }).end(bytes)],
    ['with 400', (_, response) => response.writeHead(400).end('no')],
    ['with 416', (_, response) => response.writeHead(416).end()],
    [
      'with one merged part',
      (_, response) => {
        const part = bytes.subarray(100);
        response
          .writeHead(206, { 'content-range': `bytes 100-${size - 1}/${size}`, 'content-length': part.length })
          .end(part);
      },
    ],
    [
      'with merged parts',
      (_, response) => {
        const { head, body } = multipart([{ start: 100, end: 190_000 }, { last: 10 }]);
        response.writeHead(206, head).end(body);
      },
    ],
    [
      'with the parts in another order',
      (_, response) => {
        const { head, body } = multipart(some.toReversed());
        response.writeHead(206, head).end(body);
      },
    ],
    [
      'without a boundary',
      (_, response) => response.writeHead(206, { 'content-type': 'multipart/byteranges' }).end(multipart(some).body),
    ],
    [
      'with a boundary that is too long',
      (_, response) => {
        const { head, body } = multipart(some, 'b'.repeat(71));
        response.writeHead(206, head).end(body);
      },
    ],
    [
      'with an endless head of a part',
      (_, response) => {
        const { head } = multipart(some);
        response.writeHead(206, head);
        response.write('--b0undary\r\n');
        const more = setInterval(() => response.write(`x: ${'y'.repeat(1000)}\r\n`), 1);
        response.on('close', () => clearInterval(more));
      },
    ],
    [
      'with a preamble',
      (_, response) => {
        const { head, body } = multipart(some);
        response.writeHead(206, head).end(Buffer.concat([Buffer.from('hello'), body]));
      },
    ],
  ];

  test.each(refusals)('but answers %s is asked for single ranges, and not asked again', async (_name, answer) => {
    const { client, asked } = await odd(answer);
    await expectParts(client, some);
    await expectParts(client, some.toReversed());
    expect(asked.filter(isSeveral)).toHaveLength(1);
  });

  test('because it ignores ranges sends the blob once for parts that follow each other', async () => {
    const asked: string[] = [];
    const host = await listen((request, response) => {
      asked.push(request.headers.range ?? '');
      response.writeHead(200, { 'content-length': size }).end(bytes);
    });
    await expectParts(createClient({ host }), some);
    expect(asked).toHaveLength(2);
    await expectParts(createClient({ host }), some.toReversed());
  });

  test('is asked again if the parts overlapped so that the whole blob was less to send', async () => {
    const { client, asked } = await odd((_, response) =>
      response.writeHead(200, { 'content-length': size }).end(bytes),
    );
    const overlapping = [
      { start: 0, end: size - 1 },
      { start: 1, end: size },
    ];
    await expectParts(client, overlapping);
    await expectParts(client, overlapping);
    expect(asked.filter(isSeveral)).toHaveLength(2);
  });

  test('with long headers gets shorter ones', async () => {
    const { client, asked } = await odd((request, response) => {
      const { range = '' } = request.headers;
      if (range.length > 8000) response.writeHead(400).end();
      else {
        const ranges = [...range.matchAll(/(\d+)-(\d+)/g)].map(([, a, b]) => ({
          start: Number(a),
          end: Number(b) + 1,
        }));
        const { head, body } = multipart(ranges);
        response.writeHead(206, head).end(body);
      }
    });
    await expectParts(
      client,
      Array.from({ length: 1000 }, (_, i) => ({ start: i * 200, end: i * 200 + 9 })),
    );
    expect(asked.filter(isSeveral).length).toBe(asked.length);
    expect(asked.length).toBeLessThan(8);
  });
});

describe('an answer with several parts', () => {
  test.each([
    [
      'a quoted boundary',
      (head: Record<string, string>) => ({ ...head, 'content-type': 'multipart/byteranges; boundary="b0undary"' }),
    ],
    [
      'another parameter',
      (head: Record<string, string>) => ({
        ...head,
        'content-type': 'Multipart/ByteRanges; charset=x; Boundary=b0undary',
      }),
    ],
  ])('is read with %s', async (_name, change) => {
    const { client, asked } = await odd((_, response) => {
      const { head, body } = multipart(some);
      response.writeHead(206, change(head)).end(body);
    });
    await expectParts(client, some);
    expect(asked).toHaveLength(1);
  });

  test('is read in pieces of any size', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), async (piece) => {
        const short: ByteRange[] = [
          { start: 5, end: 30 },
          { start: 0, end: 3 },
          { start: 99, end: 400 },
        ];
        const { client, asked } = await odd((_, response) => {
          const { head, body } = multipart(short);
          response.writeHead(206, head);
          void (async () => {
            for (let at = 0; at < body.length; at += piece) {
              response.write(body.subarray(at, at + piece));
              await new Promise((resolve) => setImmediate(resolve));
            }
            response.end();
          })();
        });
        await expectParts(client, short);
        expect(asked).toHaveLength(1);
      }),
      { numRuns: 12 },
    );
  });

  test.each([150, 3000, 60_000, 124_000])('that is cut after %i bytes is continued', async (after) => {
    let cuts = 0;
    const { client } = await odd((_, response) => {
      const { head, body } = multipart(some);
      response.writeHead(206, { ...head, 'content-length': body.length });
      response.write(body.subarray(0, after), () => response.destroy());
      cuts += 1;
    });
    await expectParts(client, some);
    expect(cuts).toBeGreaterThan(0);
  });

  test('whose part is longer than it says fails', async () => {
    const { client } = await odd((_, response) => {
      const { head, body } = multipart(some);
      const at = body.indexOf('\r\n--b0undary', 10);
      response.writeHead(206, head).end(Buffer.concat([body.subarray(0, at), Buffer.from('more'), body.subarray(at)]));
    });
    await expect(partsOf(client, some)).rejects.toThrow(/is no valid multipart\/byteranges/);
  });

  test('of another blob is refused', async () => {
    const { client } = await odd((_, response) => {
      const { head, body } = multipart(some);
      response.writeHead(206, { ...head, 'docker-content-digest': randomBlob().descriptor.digest }).end(body);
    });
    await expect(partsOf(client, some)).rejects.toMatchObject({ code: 'DIGEST_INVALID' });
  });
});
