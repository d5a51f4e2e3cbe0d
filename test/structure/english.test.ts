// Holds the counts of english.json, which may only fall. `npm run english:update` writes lower ones.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { countsOf, higher, lower, lowered, sumsOf, type Baseline } from './english/baseline.ts';
import { findingsIn } from './english/count.ts';
import { readSources } from './sources.ts';

const file = join(import.meta.dirname, 'english.json');
const sources = readSources(['', 'packages', 'test', 'bench', 'docs'], /\.(?:[cm]?[jt]s|md)$|^package\.json$/);
const findings = findingsIn(sources);

if (process.env['OCIKIT_LOWER_ENGLISH'] === '1') {
  const next = existsSync(file) ? lowered(findings, readBaseline(), new Set(sources.keys())) : countsOf(findings);
  writeFileSync(file, `${JSON.stringify(next, undefined, 2)}\n`);
  process.stdout.write(`${sumsOf(next)}\n`);
}

function readBaseline(): Baseline {
  return JSON.parse(readFileSync(file, 'utf8')) as Baseline;
}

describe('plain English', () => {
  test('no file has more that is hard to read than it had, and a new one has none', () => {
    const found = higher(findings, readBaseline());

    if (found.length > 0) throw new Error(`\n${found.join('\n')}`);
  });

  test('the baseline is as low as the counts', () => {
    expect(lower(findings, readBaseline()), 'run npm run english:update, which lowers the baseline').toEqual([]);
  });
});
