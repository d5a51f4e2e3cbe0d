import { describe, expect, test } from 'vitest';

import { Results } from '../results.ts';
import type { Row } from '../results.ts';
import type { System } from '../systems/system.ts';
import { againstAllPeers, againstBare, againstDiskPeers, againstSyncingPeers, figures } from './compare.ts';
import type { Comparison, Figure } from './compare.ts';

const row: Row = { id: 'push', title: 'push', unit: '/s', better: 'higher', writes: true };
const systems: System[] = [
  system('ours', 'ocikit', 'disk', true),
  system('ours in memory', 'ocikit', 'memory', false),
  system('disk', 'peer', 'disk', false),
  system('syncing', 'peer', 'disk', true),
  system('half', 'peer', 'blobs on disk', false),
  system('memory', 'peer', 'memory', false),
  system('bare', 'bare', 'memory', false),
];
const samples = {
  ours: [90, 100, 300],
  'ours in memory': [5000],
  disk: [50],
  syncing: [20],
  half: [400],
  memory: [800],
  bare: [1000],
};

describe('a figure is compared', () => {
  const all = figures(resultsOf(row, samples), row, systems);
  const ours = figure(all, 'ours');

  test('with the peers on disk, by the median', () => {
    expect(named(againstDiskPeers(row, ours, all))).toEqual(['disk', 2]);
  });

  test('with a peer that has only blobs on disk, in a row about blobs', () => {
    expect(named(againstDiskPeers({ ...row, onlyBlobs: true }, ours, all))).toEqual(['half', 0.25]);
  });

  test('with the peers that synchronise', () => {
    expect(named(againstSyncingPeers(row, ours, all))).toEqual(['syncing', 5]);
  });

  test('with the best of all peers, not with ocikit itself or the bare server', () => {
    expect(named(againstAllPeers(row, ours, all))).toEqual(['memory', 0.125]);
  });

  test('with the bare server', () => {
    expect(named(againstBare(row, ours, all))).toEqual(['bare', 0.1]);
  });

  test('with the lowest peer if lower is better', () => {
    expect(named(againstAllPeers({ ...row, better: 'lower' }, ours, all))).toEqual(['syncing', 0.2]);
  });
});

test('a failed figure, or one without samples, is not compared', () => {
  const results = resultsOf(row, samples);
  results.cell(row, 'disk').failure = '3 of 400 answers were wrong';
  results.cell(row, 'syncing').samples.length = 0;
  const all = figures(results, row, systems);
  expect(all.map(({ system: { name } }) => name)).toEqual(['ours', 'ours in memory', 'half', 'memory', 'bare']);
  expect(againstDiskPeers(row, figure(all, 'ours'), all)).toBeUndefined();
});

function system(name: string, kind: System['kind'], medium: System['medium'], syncs: boolean): System {
  return { name, kind, medium, syncs, command: () => Promise.reject(new Error('nothing is started here')) };
}

function resultsOf(of: Row, values: Readonly<Record<string, readonly number[]>>): Results {
  const results = new Results();
  for (const [name, numbers] of Object.entries(values)) results.cell(of, name).samples.push(...numbers);
  return results;
}

function figure(all: readonly Figure[], name: string): Figure {
  const found = all.find((candidate) => candidate.system.name === name);
  if (found === undefined) throw new Error(`no figure of ${name}`);
  return found;
}

function named(comparison: Comparison | undefined): [string, number] | undefined {
  return comparison && [comparison.other.system.name, comparison.ratio];
}
