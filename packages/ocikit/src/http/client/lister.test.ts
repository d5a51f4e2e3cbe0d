import type { IncomingMessage } from 'node:http';

import { describe, expect, test } from 'vitest';

import { collect } from '../../model/index.ts';
import type { ListOptions } from '../../model/index.ts';

import { listen } from '../../../test/listen.ts';
import { failureOf, transportTo } from '../../../test/transport-to.ts';

import { explain } from './transport/index.ts';
import { clientLister } from './lister.ts';
import type { ClientOptions } from './shared/index.ts';

interface Answered {
  status?: number;
  body?: unknown;
  link?: string;
}

/** A registry's list as a client shows it, and the requests for it. */
async function listing(
  answer: (url: URL, request: IncomingMessage) => Answered,
  options: Partial<ClientOptions> = {},
): Promise<{
  tags: (list?: ListOptions) => Promise<string[]>;
  repositories: (list?: ListOptions) => Promise<string[]>;
  asked: string[];
}> {
  const asked: string[] = [];
  const transport = await transportTo((request, response) => {
    asked.push(request.url ?? '');
    const { status = 200, body, link } = answer(new URL(request.url ?? '', 'http://x'), request);
    response.writeHead(status, { 'content-type': 'application/json', ...(link === undefined ? {} : { link }) });
    response.end(JSON.stringify(body));
  });
  const lister = clientLister(transport, { host: transport.base.host, ...options });
  return {
    asked,
    tags: (list) => collect(lister.tags('a', list)),
    repositories: (list) => collect(lister.repositories(list)),
  };
}

/** A registry that does it all as the specification says, in pages of at most `most`. */
const correct =
  (all: readonly string[], { most = 1000, link = true } = {}) =>
  (url: URL): Answered => {
    const n = Math.min(Number(url.searchParams.get('n') ?? most), most);
    const last = url.searchParams.get('last') ?? '';
    const rest = all.filter((name) => name > last);
    const tags = rest.slice(0, n);
    const next = `</v2/a/tags/list?n=${n}&last=${tags.at(-1)}>; rel="next"`;
    return { body: { name: 'a', tags }, ...(link && rest.length > n ? { link: next } : {}) };
  };

const letters = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

describe('a list', () => {
  test('ends when the registry begins anew because no name comes after the given one', async () => {
    const { tags, asked } = await listing((url) => {
      const after = letters.filter((name) => name > (url.searchParams.get('last') ?? ''));
      // As the registry of go-containerregistry does.
      const found = after.length === 0 ? letters : after;
      return { body: { name: 'a', tags: found.slice(0, Number(url.searchParams.get('n'))) } };
    });
    expect(await tags({ startAfter: 'x', limit: 3 })).toEqual([]);
    expect(asked).toHaveLength(1);
    expect(await tags({ startAfter: 'e', limit: 3 })).toEqual(['f', 'g']);
  });

  test('of one page takes one request', async () => {
    const { tags, asked } = await listing(correct(letters));
    expect(await tags()).toEqual(letters);
    expect(asked).toEqual(['/v2/a/tags/list?n=1000']);
  });

  test('continues at Link, also after a page that is shorter than requested, or empty', async () => {
    const { tags, asked } = await listing((url) => {
      const at = Number(url.searchParams.get('page') ?? '0');
      const page = [['a'], [], ['b', 'c']][at] ?? [];
      return { body: { tags: page }, ...(at < 2 ? { link: `<?page=${at + 1}>; rel="next"` } : {}) };
    });
    expect(await tags()).toEqual(['a', 'b', 'c']);
    expect(asked).toEqual(['/v2/a/tags/list?n=1000', '/v2/a/tags/list?page=1', '/v2/a/tags/list?page=2']);
  });

  test('continues after its last name if there is no Link', async () => {
    const { tags, asked } = await listing(correct(letters, { link: false }), { pageSize: 3 });
    expect(await tags()).toEqual(letters);
    expect(asked).toEqual(['/v2/a/tags/list?n=3', '/v2/a/tags/list?n=3&last=c', '/v2/a/tags/list?n=3&last=f']);
  });

  test('has no more than the limit, and asks for no more', async () => {
    const { tags, asked } = await listing(correct(letters));
    expect(await tags({ limit: 2 })).toEqual(['a', 'b']);
    expect(asked).toEqual(['/v2/a/tags/list?n=2']);
    const large = await listing(correct(letters), { pageSize: 2 });
    expect(await large.tags({ limit: 5 })).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(large.asked).toHaveLength(3);
  });

  test('leaves out what is no name, warns once, and still reaches its limit', async () => {
    const warnings: string[] = [];
    const names = ['../../x', '/etc', 'a', 'b', '\u001b[31mc', 'c', 'd'].toSorted();
    const onWarning = (text: string): void => void warnings.push(text);
    const { tags } = await listing(correct(names), { onWarning, pageSize: 2 });
    expect(await tags()).toEqual(['a', 'b', 'c', 'd']);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^a list of tags has "[\x20-\x7e]*", which is no tag;/);
    expect(await tags({ limit: 3 })).toEqual(['a', 'b', 'c']);
    expect(await tags({ startAfter: 'b', limit: 1 })).toEqual(['c']);
  });

  test('with the limit 0 is empty, if there is such a list', async () => {
    const { tags, asked } = await listing(correct(letters));
    expect(await tags({ limit: 0 })).toEqual([]);
    expect(asked).toEqual(['/v2/a/tags/list?n=1']);
    const none = await listing(() => ({ status: 404 }));
    expect(await failureOf(none.tags({ limit: 0 }))).toMatchObject({ code: 'NAME_UNKNOWN' });
  });

  test('begins after a name, whether the registry knows how or not', async () => {
    const { tags, asked } = await listing(correct(letters));
    expect(await tags({ startAfter: 'c' })).toEqual(['d', 'e', 'f', 'g']);
    expect(asked).toEqual(['/v2/a/tags/list?n=1000&last=c']);
    const ignoring = await listing(() => ({ body: { tags: letters } }));
    expect(await ignoring.tags({ startAfter: 'c' })).toEqual(['d', 'e', 'f', 'g']);
  });

  test.each([{ body: { tags: null } }, { body: { name: 'a' } }, { body: { tags: [] } }])(
    'may be empty: %j',
    async (answer) => {
      const { tags } = await listing(() => answer);
      expect(await tags()).toEqual([]);
    },
  );

  test('ends if a registry ignores the number of entries, or the name to begin after', async () => {
    const everything = await listing(() => ({ body: { tags: letters } }), { pageSize: 3 });
    expect(await everything.tags()).toEqual(letters);
    expect(everything.asked).toHaveLength(1);
    const again = await listing(() => ({ body: { tags: ['a', 'b', 'c'] } }), { pageSize: 3 });
    expect(await again.tags()).toEqual(['a', 'b', 'c']);
    expect(again.asked).toHaveLength(2);
  });

  test('that leads in a circle is an error', async () => {
    const same = await listing(() => ({ body: { tags: letters }, link: '</v2/a/tags/list?last=g>; rel="next"' }));
    expect(await failureOf(same.tags())).toMatchObject({ code: 'UNKNOWN' });
    expect(same.asked).toHaveLength(2);
  });

  test('that leads on for ever, without a new name, is an error', async () => {
    let page = 0;
    const { tags, asked } = await listing(() => ({ body: { tags: letters }, link: `<?page=${++page}>; rel="next"` }));
    expect(await failureOf(tags())).toMatchObject({ code: 'UNKNOWN' });
    expect(asked).toHaveLength(102);
  });

  test.each([
    'http://elsewhere.test/v2/a/tags/list',
    '//elsewhere.test/',
    'http://me:pw@HOST/',
    'http://',
    'https://HOST/',
  ])('that leads to %s is an error, and no request goes there', async (target) => {
    const { tags, asked } = await listing((_, { headers }) => ({
      body: { tags: letters },
      link: `<${target.replace('HOST', headers.host ?? '')}>; rel="next"`,
    }));
    expect(await failureOf(tags())).toMatchObject({ code: 'UNKNOWN' });
    expect(asked).toHaveLength(1);
  });

  test.each(['</v2/a/tags/list?last=b>', "</v2/a/tags/list?last=b>; rel='next'"])(
    'goes on at the Link %s',
    async (link) => {
      const { tags, asked } = await listing(({ searchParams }) =>
        searchParams.has('last') ? { body: { tags: ['c'] } } : { body: { tags: ['a', 'b'] }, link },
      );
      expect(await tags()).toEqual(['a', 'b', 'c']);
      expect(asked).toEqual(['/v2/a/tags/list?n=1000', '/v2/a/tags/list?last=b']);
    },
  );

  test.each([
    '/v2/a/tags/list?last=b; rel="next"',
    'next page',
    '</v2/a/tags/list?last=b',
    '"</v2/a/tags/list?last=b>"; rel="next"',
  ])('with the Link %s, which cannot be read, is an error that shows it', async (link) => {
    const { tags } = await listing(() => ({ body: { tags: ['a', 'b'] }, link }));
    const error = await failureOf(tags());
    expect(error).toMatchObject({ code: 'UNKNOWN' });
    expect(String(error)).toContain(`has the Link ${link}, which is not followed`);
  });

  test('sends nothing to another host', async () => {
    let count = 0;
    const elsewhere = await listen((_, response) => {
      count++;
      response.end('{"tags":["z"]}');
    });
    const { tags } = await listing(() => ({ body: { tags: letters }, link: `<http://${elsewhere}/>; rel="next"` }));
    const error = await failureOf(tags());
    expect(count).toBe(0);
    expect(explain(error)?.requests).toHaveLength(1);
  });

  test('is put in byte order if the registry has another one, each name once', async () => {
    const one = await listing(() => ({ body: { tags: ['b', 'B', 'a', 'b', 'a1', 'a-1'] } }));
    expect(await one.tags()).toEqual(['B', 'a', 'a-1', 'a1', 'b']);
    expect(await one.tags({ limit: 2, startAfter: 'B' })).toEqual(['a', 'a-1']);
    const several = await listing((url) => {
      const at = Number(url.searchParams.get('page') ?? '0');
      const page = [['c', 'a'], ['z', 'b'], ['d']][at] ?? [];
      return { body: { tags: page }, ...(at < 2 ? { link: `<?page=${at + 1}>; rel="next"` } : {}) };
    });
    expect(await several.tags({ limit: 4 })).toEqual(['a', 'b', 'c', 'd']);
  });

  test('loses no name if the lack of an order shows too late', async () => {
    const { tags } = await listing((url) => {
      const at = Number(url.searchParams.get('page') ?? '0');
      const page =
        [
          ['c', 'd'],
          ['d', 'a'],
          ['x', 'b'],
        ][at] ?? [];
      return { body: { tags: page }, ...(at < 2 ? { link: `<?page=${at + 1}>; rel="next"` } : {}) };
    });
    expect(await tags()).toEqual(['c', 'd', 'a', 'b', 'x']);
  });

  test('is read lazily', async () => {
    const { asked } = await listing(correct(letters));
    expect(asked).toEqual([]);
    const transport = await transportTo((request, response) => {
      asked.push(request.url ?? '');
      response.end(JSON.stringify(correct(letters)(new URL(request.url ?? '', 'http://x')).body));
    });
    const lister = clientLister(transport, { host: '', pageSize: 2 });
    for await (const tag of lister.tags('a')) {
      expect(tag).toBe('a');
      break;
    }
    expect(asked).toHaveLength(1);
  });

  test.each([
    { body: [] },
    { body: 'x' },
    { body: { tags: 'a' } },
    { body: { tags: ['a', 5] } },
    { body: { tags: {} } },
  ])('of another form is an error: %j', async (answer) => {
    const { tags } = await listing(() => answer);
    expect(await failureOf(tags())).toMatchObject({ code: 'UNKNOWN' });
  });

  test('whose page is cut is read again', async () => {
    let count = 0;
    const transport = await transportTo((_, response) => {
      response.writeHead(200, { 'content-length': 14 });
      if (count++ === 0) response.write('{"tags', () => response.destroy());
      else response.end('{"tags":["a"]}');
    });
    expect(await collect(clientLister(transport, { host: '' }).tags('a'))).toEqual(['a']);
    expect(count).toBe(2);
  });

  test('of an unknown repository is NAME_UNKNOWN, whatever the answer says', async () => {
    for (const body of [undefined, { errors: [{ code: 'NAME_UNKNOWN' }] }, { message: 'not here' }]) {
      const { tags } = await listing(() => ({ status: 404, body }));
      expect(await failureOf(tags())).toMatchObject({ code: 'NAME_UNKNOWN', status: 404 });
    }
    const { tags, asked } = await listing(() => ({}));
    const malformed = clientLister(await transportTo(() => undefined), { host: '' }).tags('A');
    expect(await failureOf(collect(malformed))).toMatchObject({ code: 'NAME_INVALID' });
    expect(await failureOf(tags({ signal: AbortSignal.abort(new Error('enough')) }))).toMatchObject({
      message: 'enough',
    });
    expect(asked).toEqual([]);
  });
});

describe('the catalog', () => {
  test('has the repositories', async () => {
    const { repositories, asked } = await listing(() => ({ body: { repositories: ['a', 'a/b'] } }));
    expect(await repositories()).toEqual(['a', 'a/b']);
    expect(asked).toEqual(['/v2/_catalog?n=1000']);
  });

  test.each([true, false])('begins after a name also if the order is that of directories (Link: %s)', async (link) => {
    const inTree = (name: string): string => name.replaceAll('/', '\0');
    const all = ['a', 'a-b', 'a-b/c', 'a-c', 'a.b', 'a/b', 'a/b-c', 'a/b/c', 'ab', 'b/a', 'b/a-b', 'b/a/b'].toSorted();
    const ordered = all.toSorted((x, y) => (inTree(x) < inTree(y) ? -1 : 1));
    expect(ordered).not.toEqual(all);
    const { repositories } = await listing(
      (url) => {
        const last = url.searchParams.get('last');
        const rest = ordered.filter((name) => last === null || inTree(name) > inTree(last));
        const found = rest.slice(0, 2);
        const next = `</v2/_catalog?n=2&last=${encodeURIComponent(found.at(-1) ?? '')}>; rel="next"`;
        return { body: { repositories: found }, ...(link && rest.length > 2 ? { link: next } : {}) };
      },
      { pageSize: 2 },
    );
    for (const startAfter of [...all, '0', 'a-', 'a/', 'b', 'c']) {
      const expected = all.filter((name) => name > startAfter);
      expect((await repositories({ startAfter })).toSorted(), startAfter).toEqual(expected);
    }
  });

  test('that a registry does not have is UNSUPPORTED', async () => {
    const { repositories } = await listing(() => ({ status: 404 }));
    expect(await failureOf(repositories())).toMatchObject({ code: 'UNSUPPORTED' });
  });
});
