// Holds the counts of english.json, which may only fall. `npm run english:update` writes lower ones.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, test } from 'vitest';

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
    const found = lower(findings, readBaseline());

    if (found.length > 0) {
      throw new Error(`Run npm run english:update for ${found.length} counts:\n${found.slice(0, 20).join('\n')}`);
    }
  });
});
