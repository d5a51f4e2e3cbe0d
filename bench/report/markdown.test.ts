import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { Results } from '../results.ts';
import type { Row } from '../results.ts';
import { fullSettings } from '../settings.ts';
import type { System } from '../systems/system.ts';
import { markdownCircumstances, markdownTable, writeMarkdown } from './markdown.ts';

const rows: Row[] = [
  { id: 'get', title: 'GET', unit: '/s', better: 'higher' },
  { id: 'push', title: 'push', unit: 'ms', better: 'lower', writes: true },
  { id: 'never', title: 'not measured', unit: 'ms', better: 'lower' },
];
const command: System['command'] = () => Promise.reject(new Error('nothing is started here'));
const systems: System[] = [
  { name: 'ours', kind: 'ocikit', medium: 'disk', syncs: true, command },
  { name: 'peer', kind: 'peer', medium: 'disk', syncs: true, command },
  { name: 'idle', kind: 'peer', medium: 'disk', syncs: true, command },
];

test('the table has a line for each measured row, and a column for each system that took part', () => {
  const results = new Results();
  const [get, push] = rows as [Row, Row];
  results.cell(get, 'ours').samples.push(30_000, 29_000, 31_000);
  results.cell(get, 'peer').samples.push(20_000);
  results.cell(push, 'ours').samples.push(0.5);
  results.cell(push, 'peer').absent = 'not supported (404)';
  expect(markdownTable(rows, systems, results)).toBe(
    [
      '|  | unit | ours | peer | ours: to the best peers |',
      '| --- | --- | --: | --: | --: |',
      '| GET | per second | **30.0k** 29.0k–31.0k | 20.0k | disk 1.50× peer; any 1.50× peer |',
      '| push | ms | 0.50 | not supported (404) |  |',
      '',
    ].join('\n'),
  );
});

test('the list above the table has the date, the machine and the programs', () => {
  const programs = [
    { name: 'wrk', version: 'wrk 4.1' },
    { name: 'crane', missing: 'not installed' },
  ];
  const circumstances = { date: '2026-01-02T03:04:05.000Z', machine: ['2 × a processor'], programs };
  expect(markdownCircumstances(circumstances, fullSettings)).toBe(
    '- 2026-01-02, 3 rounds: **median** and the lowest and highest\n- 2 × a processor\n- wrk (wrk 4.1)\n',
  );
});

describe('a document', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ocikit-bench-test-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  test('gets a new table between its marks, and keeps the text around them', async () => {
    const file = join(directory, 'performance.md');
    await writeFile(file, '# Title\n\n<!-- table -->\nold\n<!-- /table -->\n\nThe end.\n');
    await writeMarkdown(file, '| first |\n');
    await writeMarkdown(file, '| second |\n');
    const text = await readFile(file, 'utf8');
    expect(text).toBe('# Title\n\n<!-- table -->\n\n| second |\n\n<!-- /table -->\n\nThe end.\n');
  });

  test('that does not exist becomes the table', async () => {
    const file = join(directory, 'new.md');
    await writeMarkdown(file, '| table |\n');
    expect(await readFile(file, 'utf8')).toBe('| table |\n');
  });
});
