import { describe, expect, test } from 'vitest';

import { fencesOf, fileOf, placed } from './fences.ts';

describe('the fences of a guide', () => {
  test('are found with their language and their line', () => {
    const text = ['# A', '```ts', 'a();', '', 'b();', '```', 'text', '~~~~sh', '~~~', 'x', '~~~~', '```', '```'].join(
      '\n',
    );
    expect(fencesOf(text)).toEqual([
      { language: 'ts', text: 'a();\n\nb();\n', line: 3 },
      { language: 'sh', text: '~~~\nx\n', line: 9 },
      { language: '', text: '\n', line: 13 },
    ]);
  });

  test('end, and begin at the margin', () => {
    expect(() => fencesOf('```ts\na')).toThrow('line 2');
    expect(() => fencesOf('- ```ts\n  ```ts')).toThrow('line 2');
  });
});

test('a module is written to the file that its first line names', () => {
  const [named, suite, other] = fencesOf(
    '```ts\n// store.ts\n\n```\n```ts\n// a.test.ts\na();\n```\n```ts\n// A store.\n```',
  );
  expect([named, suite, other].map((fence) => fence && fileOf(fence))).toEqual(['store.ts', 'a.test.ts', 'line-10.ts']);
});

test.each([
  ["createClient({ host: 'registry.example.com' })", "createClient({ host: '127.0.0.1:1' })"],
  ["createClient({ host: 'docker.io' })", "createClient({ host: '127.0.0.1:1' })"],
  ['ocikit serve --proxy docker.io --port 5000', 'ocikit serve --proxy docker.io=http://127.0.0.1:1 --port 2'],
  ["{ 'docker.io': remote('docker.io') }", "{ 'docker.io': remote('127.0.0.1:1') }"],
  ['--proxy docker.io=https://mirror.example.com', '--proxy docker.io=http://127.0.0.1:1'],
  ['curl https://registry-1.docker.io/v2/', 'curl http://127.0.0.1:1/v2/'],
  ['curl http://localhost:5000/v2/', 'curl http://localhost:2/v2/'],
  ['serve(registry, { port: 5000, limit: 5000 })', 'serve(registry, { port: 2, limit: 5000 })'],
  ['alice@example.com 50000 myexample.com', 'alice@example.com 50000 myexample.com'],
])('%s becomes %s', (text, expected) => {
  expect(placed(text, { upstream: '127.0.0.1:1', port: 2 })).toBe(expected);
});
