import { describe, expect, test } from 'vitest';

import { createClient } from '../http/client/index.ts';
import { collect, identityOf, maintenanceOf, partialRegistry, RegistryError } from '../model/index.ts';
import type { Registry } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { methods } from '../testing/cases/index.ts';
import { createTestServer, imageOf, pushContent, randomBlob } from '../testing/node.ts';

import { debug } from './index.ts';
import type { DebugEntry } from './index.ts';

const image = imageOf();
const { digest } = image.descriptor;

interface Watched {
  view: Registry;
  lines: string[];
  entries: DebugEntry[];
}

function watched(inside: Registry = createMemoryRegistry(), lineLength?: number): Watched {
  const lines: string[] = [];
  const entries: DebugEntry[] = [];
  const view = debug(
    inside,
    (line, entry) => {
      lines.push(line);
      entries.push(entry);
    },
    { lineLength },
  );
  return { view, lines, entries };
}

/** A line without its duration. */
const untimed = (line: string): string => line.replace(/after [\d.]+ ms/, 'after * ms');

describe('each call has a line for its begin and its end:', () => {
  test.each(methods)('$name', async ({ name, call }) => {
    const { view, entries, lines } = watched();
    await pushContent(view, 'app', image, { tags: ['v1'] });
    entries.splice(0);
    const of = name.includes('lob') ? (image.blobs[0]?.descriptor.digest ?? digest) : digest;
    const failed = await call(view, { repository: 'app', digest: of, tag: 'v1' }).then(
      () => false,
      () => true,
    );
    const method = name.split(' ')[0];
    expect(entries.map(({ step, call: { method: told } }) => [told, step])).toEqual([
      [method, 'begin'],
      ...(method === 'getBlob' ? [[method, 'opened']] : []),
      [method, 'end'],
    ]);
    expect(entries.at(-1)?.error !== undefined).toBe(failed);
    expect(new Set(entries.map(({ number }) => number)).size).toBe(1);
    for (const line of lines) expect(line).toMatch(/^#\d+ \w+ ?[\x20-\x7e…]*$/);
  });
});

test('a line has the caller, the arguments and the result of a call', async () => {
  const { view, lines } = watched();
  const { descriptor, bytes } = randomBlob(1000);
  const context = { identity: identityOf('alice'), requestId: '7' };
  await view.pushBlob('app', descriptor, bytes, { context });
  const content = await view.getBlob('app', descriptor.digest, { range: { start: 0, end: 10 } });
  await content.bytes();
  await expect(view.resolveTag('app', 'v1')).rejects.toThrow();
  expect(lines.map(untimed)).toEqual([
    `#1 pushBlob app digest=${descriptor.digest} size=1000 caller=alice requestId=7`,
    `#1 pushBlob app end after * ms: digest=${descriptor.digest} mediaType=application/octet-stream size=1000`,
    `#2 getBlob app digest=${descriptor.digest} range="{\\"start\\":0,\\"end\\":10}"`,
    `#2 getBlob app opened after * ms: digest=${descriptor.digest} mediaType=application/octet-stream size=1000`,
    '#2 getBlob app end after * ms: bytes=10 complete=true',
    '#3 resolveTag app tag=v1',
    '#3 resolveTag app end after * ms: MANIFEST_UNKNOWN: app has no manifest v1',
  ]);
});

describe('reading a blob ends', () => {
  const { descriptor, bytes } = randomBlob(1_000_000);

  test.each<[string, (view: Registry) => Promise<unknown>, object]>([
    [
      'when all was read as bytes',
      async (view) => (await view.getBlob('app', descriptor.digest)).bytes(),
      { bytes: 1_000_000, complete: true },
    ],
    [
      'when all was read into buffers',
      async (view) => {
        const content = await view.getBlob('app', descriptor.digest);
        for (let left = 1_000_000; left > 0;) left -= await content.readInto(new Uint8Array(65_536));
      },
      { bytes: 1_000_000, complete: true },
    ],
    [
      'when all was streamed',
      async (view) => {
        for await (const piece of (await view.getBlob('app', descriptor.digest)).stream()) void piece;
      },
      { bytes: 1_000_000, complete: true },
    ],
    [
      'when it was left in the middle',
      async (view) => {
        for await (const piece of await view.getBlob('app', descriptor.digest, { range: { start: 1 } })) {
          expect(piece.length).toBeGreaterThan(0);
          break;
        }
      },
      { complete: true },
    ],
    [
      'when it was not wanted',
      async (view) => (await view.getBlob('app', descriptor.digest)).cancel(),
      { bytes: 0, complete: false },
    ],
  ])('%s', async (_when, read, result) => {
    const inside = createMemoryRegistry();
    await inside.pushBlob('app', descriptor, bytes);
    const { view, entries } = watched(inside);
    await read(view);
    expect(entries.map(({ step }) => step)).toEqual(['begin', 'opened', 'end']);
    expect(entries[2]?.result).toMatchObject(result);
  });

  test('when it fails, with its error', async () => {
    const controller = new AbortController();
    const inside = createMemoryRegistry();
    await inside.pushBlob('app', descriptor, bytes);
    const { view, entries } = watched(inside);
    const content = await view.getBlob('app', descriptor.digest, { signal: controller.signal });
    await content.readInto(new Uint8Array(10));
    controller.abort(new RegistryError('UNAVAILABLE', 'gone'));
    await expect(content.readInto(new Uint8Array(10))).rejects.toThrow('gone');
    await content.cancel();
    expect(entries.map(({ step }) => step)).toEqual(['begin', 'opened', 'end']);
    expect(entries[2]?.error).toEqual({ code: 'UNAVAILABLE', message: 'gone' });
  });
});

test('a list begins when it is read, and ends with its number of items, also when its reader stops', async () => {
  const { view, entries } = watched();
  await pushContent(view, 'app', image, { tags: ['a', 'b', 'c'] });
  entries.splice(0);
  const list = view.tags('app', { startAfter: '0', limit: 9 });
  expect(entries).toHaveLength(0);
  await collect(list);
  for await (const tag of view.tags('app')) if (tag === 'b') break;
  await expect(collect(view.tags('none'))).rejects.toThrow();
  expect(entries.filter(({ step }) => step === 'end').map(({ result, error }) => result ?? error?.code)).toEqual([
    { items: 3, complete: true },
    { items: 2, complete: false },
    'NAME_UNKNOWN',
  ]);
  expect(entries[0]?.call).toMatchObject({ repository: 'app', startAfter: '0', limit: 9 });
});

describe('an upload', () => {
  test('has a number that stays, and no line has its id', async () => {
    await using server = await createTestServer();
    const client = createClient({ host: server.host, scheme: 'http', fetch: server.fetch });
    const { view, lines, entries } = watched(client);
    const { descriptor, bytes } = randomBlob(100);
    const ids: string[] = [];
    await (await view.startUpload('app')).close();
    const upload = await view.startUpload('app');
    ids.push(upload.id);
    await upload.append(bytes.subarray(0, 50), { at: 0 });
    ids.push(upload.id);
    await upload.close();
    const resumed = await view.resumeUpload('app', upload.id, { offset: 50 });
    await resumed.append(bytes.subarray(50));
    await resumed.commit(descriptor.digest);
    await expect(view.resumeUpload('app', 'a-secret-id')).rejects.toThrow();
    const mine = entries.filter(({ call, result }) => (call.upload ?? result?.upload) === 2);
    expect(mine.map(({ call, step }) => `${call.method} ${step}`)).toEqual([
      'startUpload end',
      'upload.append begin',
      'upload.append end',
      'upload.close begin',
      'upload.close end',
      'resumeUpload begin',
      'resumeUpload end',
      'upload.append begin',
      'upload.append end',
      'upload.commit begin',
      'upload.commit end',
    ]);
    const secrets = [...ids.map((id) => new URL(id).pathname.split('/').at(-1) ?? id), 'a-secret-id'];
    for (const secret of secrets) expect(lines.join('\n')).not.toContain(secret);
  });
});

describe('a line holds no secrets, and is bounded and one line:', () => {
  const failingWith = (message: string): Registry =>
    partialRegistry({}, { missing: () => new RegistryError('UNAVAILABLE', message) });

  test.each<[string, string, RegExp, RegExp]>([
    [
      'user names, passwords, queries and fragments of URLs',
      'GET https://alice:hunter2@r.example/v2/a?token=hunter2#hunter2 failed',
      /r\.example\/v2\/a\?…/,
      /hunter2|alice/,
    ],
    [
      'signatures of URLs',
      'see https://cdn.example/x?X-Amz-Signature=hunter2&a=b, and',
      /cdn\.example\/x\?…/,
      /hunter2/,
    ],
    ['tokens', 'Authorization: Bearer hunter2hunter2.x-y_z==', /Bearer …/, /hunter2/],
    ['credentials', 'authorization: basic YWxpY2U6aHVudGVyMg==', /basic …/, /YWxp/],
    ['fields', 'password=hunter2 and access_token="hunter2"', /password=…/, /hunter2/],
    ['line ends and control characters', 'two\nlines\r\u001b[31m and red\u2028', /two\\nlines/, /[^\x20-\x7e…]/],
    ['endless texts', 'x'.repeat(100_000), /…$/, /x{500}/],
  ])('%s', async (_what, message, told, never) => {
    const { view, lines } = watched(failingWith(message));
    await expect(view.resolveTag('app', 'v1')).rejects.toThrow();
    expect(lines[1]).toMatch(told);
    expect(lines[1]).not.toMatch(never);
    expect(lines[1]?.length).toBeLessThanOrEqual(500);
  });

  test('names of callers do not change that', async () => {
    const { view, lines } = watched(createMemoryRegistry(), 200);
    const odd = ['a\n#99 getBlob b', `https://u:hunter2@h/`, 'ü\u202e', 'x'.repeat(100_000), ''];
    for (const name of odd) {
      await expect(view.resolveTag(name, name)).rejects.toThrow();
      await expect(collect(view.tags(name, { startAfter: name }))).rejects.toThrow();
    }
    await view
      .pushManifest('app', new Uint8Array(9), 'x', { tags: Array.from({ length: 10_000 }, (_, i) => `t${i}`) })
      .catch(() => undefined);
    for (const line of lines) {
      expect(line.length).toBeLessThanOrEqual(200);
      expect(line).toMatch(/^#\d+ \w+ [^\n\r]*$/);
      expect(line).not.toContain('hunter2');
    }
  });

  test('content is in no line', async () => {
    const { view, entries } = watched();
    await pushContent(view, 'app', image, { tags: ['v1'] });
    await view.getTag('app', 'v1');
    expect(JSON.stringify(entries).length).toBeLessThan(entries.length * 700);
    expect(JSON.stringify(entries)).not.toContain('schemaVersion');
  });
});

test('a sink that fails does not change a call', async () => {
  const view = debug(createMemoryRegistry(), () => {
    throw new Error('the disk is full');
  });
  await pushContent(view, 'app', image, { tags: ['v1'] });
  expect((await view.resolveTag('app', 'v1')).digest).toBe(digest);
});

test('maintenance has lines too', async () => {
  const { view, entries } = watched();
  await pushContent(view, 'app', image);
  entries.splice(0);
  const maintained = maintenanceOf(view);
  if (maintained === undefined) throw new Error('it has maintenance');
  await collect(maintained.manifests('app'));
  await collect(maintained.blobs('app'));
  await collect(maintained.uploads('app'));
  await maintained.verify('app', digest);
  await (await maintained.lease('app', [digest]))[Symbol.asyncDispose]();
  await maintained.removeUnused('app', digest, { unusedSince: new Date(Date.now() + 9999) });
  await maintained.usage();
  expect(entries.filter(({ step }) => step === 'end').map(({ call, result }) => [call.method, result])).toMatchObject([
    ['maintenance.manifests', { items: 1 }],
    ['maintenance.blobs', { items: image.blobs.length }],
    ['maintenance.uploads', { items: 0 }],
    ['maintenance.verify', { outcome: 'ok' }],
    ['maintenance.lease', {}],
    ['maintenance.removeUnused', { outcome: 'removed' }],
    ['maintenance.usage', {}],
  ]);
});
