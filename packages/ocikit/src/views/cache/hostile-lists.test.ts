import { expect, test } from 'vitest';

import { collect, partialRegistry } from '../../model/index.ts';
import type { ListOptions } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { cache, upstreams } from './index.ts';
import type { CacheEvent } from './index.ts';

const texts = ['../../x', '/etc', '\u001b[31mred', 'a', 'b', 'c/../d', 'e'].toSorted();

async function* listed({ startAfter = '', limit = Infinity }: ListOptions = {}): AsyncGenerator<string> {
  yield* texts.filter((text) => text > startAfter).slice(0, limit);
}

test('a cache leaves out what is no name in the lists of its upstream, tells of it, and still reaches a limit', async () => {
  const upstream = partialRegistry({ tags: (_repository, options) => listed(options), repositories: listed });
  const events: CacheEvent[] = [];
  const registry = cache(upstreams({ 'quay.io': upstream }), createMemoryRegistry({ sparse: true }), {
    onEvent: (event) => events.push(event),
  });
  expect(await collect(registry.tags('quay.io/app'))).toEqual(['a', 'b', 'e']);
  expect(await collect(registry.tags('quay.io/app', { limit: 2 }))).toEqual(['a', 'b']);
  expect(await collect(registry.tags('quay.io/app', { startAfter: 'b', limit: 1 }))).toEqual(['e']);
  expect(await collect(registry.repositories())).toEqual(['quay.io/a', 'quay.io/b', 'quay.io/e']);
  expect(await collect(registry.repositories({ limit: 3 }))).toEqual(['quay.io/a', 'quay.io/b', 'quay.io/e']);
  expect(new Set(events.map(({ type, kind }) => `${type} ${kind}`))).toEqual(
    new Set(['malformed tag', 'malformed repository']),
  );
  await registry.close();
});
