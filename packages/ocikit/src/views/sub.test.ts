import { describe, expect, test } from 'vitest';

import { createClient } from '../http/client/index.ts';
import { createServer } from '../http/server/index.ts';
import { collect, HttpError, maintenanceOf, partialRegistry, RedirectError, RegistryError } from '../model/index.ts';
import type { ListOptions, Registry, TransferEvent } from '../model/index.ts';
import { createMemoryRegistry } from '../stores/memory/index.ts';
import { createTestServer, demandTokens, imageOf, pushContent, randomBlob } from '../testing/node.ts';

import { sub } from './index.ts';

const blob = randomBlob();
const { digest } = blob.descriptor;

describe('a list of the repositories below a prefix', () => {
  /** `-` and `.` come before `/`, and letters after it. */
  const names = ['a', 'a-b', 'a-b/x', 'a.b/c', 'a/b', 'a/b-c', 'a/b.c', 'a/b/c', 'a/b/d', 'a0', 'ab/c', 'b/a/c'];

  async function filled(read: string[]): Promise<Registry> {
    const inside = createMemoryRegistry();
    for (const name of names) await inside.pushBlob(name, blob.descriptor, blob.bytes);
    return {
      ...inside,
      async *repositories(options?: ListOptions) {
        for await (const name of inside.repositories(options)) {
          read.push(name);
          yield name;
        }
      },
    };
  }

  test.each<[ListOptions, string[]]>([
    [{}, ['b', 'b-c', 'b.c', 'b/c', 'b/d']],
    [{ limit: 0 }, []],
    [{ limit: 2 }, ['b', 'b-c']],
    [{ startAfter: 'b' }, ['b-c', 'b.c', 'b/c', 'b/d']],
    [{ startAfter: 'b', limit: 1 }, ['b-c']],
    [{ startAfter: 'b-c' }, ['b.c', 'b/c', 'b/d']],
    [{ startAfter: 'b/' }, ['b/c', 'b/d']],
    [{ startAfter: 'b/', limit: 1 }, ['b/c']],
    [{ startAfter: 'b/c', limit: 9 }, ['b/d']],
    [{ startAfter: 'b/d' }, []],
    [{ startAfter: 'a' }, ['b', 'b-c', 'b.c', 'b/c', 'b/d']],
    [{ startAfter: '../' }, ['b', 'b-c', 'b.c', 'b/c', 'b/d']],
    [{ startAfter: 'z'.repeat(255) }, []],
    [{ startAfter: `b/${'a'.repeat(253)}` }, ['b/c', 'b/d']],
  ])('with %j holds that and no more', async (options, expected) => {
    const read: string[] = [];
    expect(await collect(sub(await filled(read), 'a').repositories(options))).toEqual(expected);
    // No name before the prefix is read, and one name after it, which shows that the list has ended.
    if (options.startAfter === undefined) {
      expect(read.filter((name) => !name.startsWith('a/'))).toEqual('limit' in options ? [] : ['a0']);
    }
  });

  test('can be read page by page, also over HTTP', async () => {
    const inside = await filled([]);
    const fetchFrom = (registry: Registry): typeof fetch => {
      const server = createServer(registry, { limits: { pageSize: 2 } });
      return (url, init) => server.fetch(new Request(url, init));
    };
    const clientOf = (registry: Registry): Registry =>
      createClient({ host: 'registry.test', scheme: 'http', pageSize: 2, fetch: fetchFrom(registry) });
    const expected = ['b', 'b-c', 'b.c', 'b/c', 'b/d'];
    // A view of a client, and a client of a view.
    expect(await collect(sub(clientOf(inside), 'a').repositories())).toEqual(expected);
    expect(await collect(clientOf(sub(inside, 'a')).repositories())).toEqual(expected);
    expect(await collect(clientOf(sub(clientOf(inside), 'a')).repositories({ startAfter: 'b-c' }))).toEqual(
      expected.slice(2),
    );
  });

  test('closes the list inside when its reader stops', async () => {
    let left = false;
    const inside = partialRegistry({
      async *repositories() {
        try {
          for (let i = 0; ; i++) yield `a/b${String(i).padStart(9, '0')}`;
        } finally {
          left = true;
        }
      },
    });
    for await (const name of sub(inside, 'a').repositories()) if (name === 'b000000002') break;
    expect(left).toBe(true);
  });
});

describe('the name of a repository below a prefix', () => {
  const told = async (error: unknown): Promise<unknown> => {
    const inside = partialRegistry({ resolveTag: () => Promise.reject(error) });
    return sub(inside, 'teams/a')
      .resolveTag('a/app', 'v1')
      .catch((caught: unknown) => caught);
  };

  test('is the name outside in messages, details and causes', async () => {
    const cause = new RegistryError('UNAVAILABLE', 'GET https://r.example/v2/teams/a/a/app/manifests/v1 failed');
    const error = await told(
      new RegistryError('NAME_UNKNOWN', 'teams/a/a/app is not known, nor is teams/a/other', {
        cause,
        detail: { name: 'teams/a/a/app', 'teams/a/x': [{ scope: 'repository:teams/a/a/app:pull', n: 1 }], none: null },
        retryAfter: 7,
      }),
    );
    expect(error).toMatchObject({
      code: 'NAME_UNKNOWN',
      message: 'a/app is not known, nor is other',
      detail: { name: 'a/app', x: [{ scope: 'repository:a/app:pull', n: 1 }], none: null },
      retryAfter: 7,
      cause: { code: 'UNAVAILABLE', message: 'GET https://r.example/v2/a/app/manifests/v1 failed' },
    });
  });

  test('is the name outside in another registry’s answer', async () => {
    const errors = [{ code: 'NAME_UNKNOWN', message: 'no teams/a/a/app', detail: { name: 'teams/a/a/app' } }];
    const url = 'https://r.example/v2/teams/a/a/app/blobs/uploads/?from=teams%2Fa%2Fb&mount=x';
    const error = await told(
      new HttpError({ status: 404, method: 'POST', url, errors, body: JSON.stringify({ errors }), retryAfter: 3 }),
    );
    expect(error).toBeInstanceOf(HttpError);
    expect(error).toMatchObject({
      status: 404,
      code: 'NAME_UNKNOWN',
      url: 'https://r.example/v2/a/app/blobs/uploads/?from=b&mount=x',
      errors: [{ code: 'NAME_UNKNOWN', message: 'no a/app', detail: { name: 'a/app' } }],
      retryAfter: 3,
    });
    expect(JSON.stringify(error) + String(error)).not.toContain('teams');
  });

  test('is no part of a file’s path below it', async () => {
    const error = Object.assign(new Error('ENOSPC: no space, write /data/teams/a/a/app/blobs/x'), { code: 'ENOSPC' });
    expect(await told(error)).toMatchObject({ message: 'ENOSPC: no space, write /data/a/app/blobs/x', code: 'ENOSPC' });
  });

  test.each<[string, unknown]>([
    ['an error that says nothing of it', new RegistryError('DENIED', 'you may not', { detail: { a: ['b'] } })],
    ['what is no error', { message: 'teams/a/a/app' }],
    ['a signal’s reason', new DOMException('no longer wanted', 'AbortError')],
    ['names that only look like it', new RegistryError('DENIED', 'myteams/a/a/app, teams/ab/x, teams/a')],
    ['where content is found', new RedirectError('https://cdn.example/teams/a/a/app')],
  ])('is the very same for %s', async (_what, error) => {
    expect(await told(error)).toBe(error);
  });

  test('is replaced in circular causes as well', async () => {
    const error: Error = new RegistryError('UNKNOWN', 'teams/a/a/app');
    Object.assign(error, { cause: error });
    expect(await told(error)).toMatchObject({ message: 'a/app' });
  });

  test('is the name outside in events', async () => {
    const inside = createMemoryRegistry();
    const view = sub(inside, 'teams/a');
    const events: TransferEvent[] = [];
    const onEvent = (event: TransferEvent): void => void events.push(event);
    await view.pushBlob('one', blob.descriptor, blob.bytes, { onEvent });
    await view.mountBlob('one', 'two', digest, { onEvent });
    const upload = await view.startUpload('three', { onEvent });
    await upload.append(blob.bytes, { onEvent });
    await upload.commit(digest, { onEvent });
    expect(new Set(events.map(({ repository }) => repository))).toEqual(new Set(['one', 'two', 'three']));
    expect(events.find(({ type }) => type === 'mounted')).toMatchObject({ repository: 'two', from: 'one' });
    expect(await collect(inside.repositories())).toEqual(['teams/a/one', 'teams/a/three', 'teams/a/two']);
  });
});

test('a prefix has to be a repository’s name', () => {
  for (const prefix of ['', '/', 'a/', '../a', 'A', 'x'.repeat(256)]) {
    expect(() => sub(createMemoryRegistry(), prefix)).toThrow(expect.objectContaining({ code: 'NAME_INVALID' }));
  }
});

test('a prefix that leaves no room for a name has no repositories', async () => {
  for (const length of [252, 253, 254, 255]) {
    const view = sub(createMemoryRegistry(), 'x'.repeat(length));
    if (length > 253) await expect(view.startUpload('a')).rejects.toMatchObject({ code: 'NAME_INVALID' });
    else await view.pushBlob('a', blob.descriptor, blob.bytes);
    expect(await collect(view.repositories())).toEqual(length > 253 ? [] : ['a']);
  }
});

describe('below a prefix of a registry that is reached over HTTP', () => {
  test('an upload is resumed by an id without the prefix, also later and by other processes', async () => {
    await using server = await createTestServer();
    const face = (): Registry =>
      sub(createClient({ host: server.host, scheme: 'http', fetch: server.fetch }), 'teams/blue');
    const upload = await face().startUpload('app');
    expect(upload.id).toMatch(/^http/);
    expect(upload.id).not.toMatch(/teams|blue/);
    await upload.append(blob.bytes.subarray(0, 100));
    await upload.close();
    const resumed = await face().resumeUpload('app', upload.id);
    expect(resumed.size).toBe(100);
    await expect(face().resumeUpload('other', upload.id)).rejects.toMatchObject({ code: 'BLOB_UPLOAD_UNKNOWN' });
    await resumed.append(blob.bytes.subarray(100));
    await resumed.commit(digest);
    expect((await server.registry.resolveBlob('teams/blue/app', digest)).size).toBe(blob.bytes.length);
  });

  test('tokens are asked for with whole names, one of them for pushing, which is good for reading too', async () => {
    const asked: string[] = [];
    const tokens = demandTokens({
      grant: (type, resource, actions) => {
        asked.push(`${type}:${resource}:${actions.join()}`);
        return actions;
      },
    });
    await using server = await createTestServer({ faults: [tokens] });
    const view = sub(createClient({ host: server.host, scheme: 'http', fetch: server.fetch }), 'teams/blue');
    await pushContent(view, 'app', imageOf(), { tags: ['v1'] });
    await view.resolveTag('app', 'v1');
    const { upload } = await view.mountBlob('base', 'app', digest);
    await upload?.cancel();
    await view.deleteTag('app', 'v1');
    expect(asked).toEqual([
      'repository:teams/blue/app:pull,push',
      'repository:teams/blue/app:pull,push',
      'repository:teams/blue/base:pull',
      'repository:teams/blue/app:delete',
    ]);
  });
});

test('maintenance sees only the repositories below the prefix', async () => {
  const inside = createMemoryRegistry();
  const view = sub(inside, 'teams/blue');
  const image = imageOf();
  await pushContent(view, 'app', image, { tags: ['v1'] });
  await pushContent(inside, 'teams/red/app', imageOf(), { tags: ['v1'] });
  const maintained = maintenanceOf(view);
  const sizes = [image, ...image.blobs].map(({ bytes }) => bytes.length);
  expect(await maintained?.usage()).toEqual({
    repositories: 1,
    manifests: 1,
    blobs: image.blobs.length,
    uploads: 0,
    size: sizes.reduce((sum, size) => sum + size, 0),
  });
  expect(maintenanceOf(sub(partialRegistry({}), 'a'))).toBeUndefined();
});
