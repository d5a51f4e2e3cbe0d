import { describe, expect, test } from 'vitest';

import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { officialTests } from './official-tests.ts';
import { registryContract } from '../index.ts';

const create = async (): Promise<{ registry: ReturnType<typeof createMemoryRegistry> }> => ({
  registry: createMemoryRegistry(),
});

const cases = registryContract({ create, traits: { sparse: true } }).flatMap((group) => group.cases);

describe('the counterpart of the official conformance suite', () => {
  test('has one case for each official test', () => {
    const official = cases.flatMap((each) => each.official ?? []);
    expect(official.toSorted()).toEqual(officialTests.map(([name]) => name).toSorted());
  });

  test('lists each official test once', () => {
    expect(officialTests).toHaveLength(410);
    expect(new Set(officialTests.map(([name]) => name)).size).toBe(410);
  });

  test('applies as a whole to a registry with every capability', () => {
    expect(cases.filter((each) => each.official !== undefined && each.leftOut !== undefined)).toEqual([]);
  });
});
