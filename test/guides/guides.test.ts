import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { TestServer } from 'ocikit/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { fencesOf } from './fences.ts';
import { startUpstream } from './upstream.ts';
import { openWorkshop } from './workshop.ts';
import type { Workshop } from './workshop.ts';

const directory = fileURLToPath(new URL('../../docs/guides/', import.meta.url));
const guides = readdirSync(directory).filter((name) => name.endsWith('.md'));

let upstream: TestServer;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.close());

test('there are guides', () => {
  expect(guides).not.toHaveLength(0);
});

describe.each(guides)('%s', (name) => {
  const fences = fencesOf(readFileSync(`${directory}${name}`, 'utf8'));
  const modules = fences.filter(({ language }) => language === 'ts');
  let workshop: Workshop;
  beforeAll(async () => {
    workshop = await openWorkshop(name.replace(/\.md$/, ''), upstream.host);
  });
  afterAll(() => workshop.close());

  test('has snippets, all of languages that are run or looked at', () => {
    expect(fences).not.toHaveLength(0);
    for (const { language, line, text } of fences) {
      expect(['ts', 'sh', 'json', 'toml', 'text'], `line ${line}`).toContain(language);
      if (language === 'json') expect(() => JSON.parse(text) as unknown, `line ${line}`).not.toThrow();
    }
  });

  test.runIf(modules.length > 0)('has modules that the compiler accepts', async () => {
    expect(await workshop.compile(modules)).toBe('');
  });

  test.each(fences.filter(({ language }) => language === 'ts' || language === 'sh'))(
    'its snippet at line $line runs',
    (fence) => workshop.run(fence),
  );
});
