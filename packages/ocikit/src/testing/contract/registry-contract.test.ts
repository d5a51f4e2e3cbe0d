import type * as nodeTest from 'node:test';

import { describe, expect, test } from 'vitest';

import { isRegistryError, maintenance, RegistryError } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { createMemoryRegistry } from '../../stores/memory/index.ts';

import { describeRegistry, registryContract } from '../index.ts';
import type { ContractTarget, ContractTraits, TestRunner } from '../index.ts';

function targetWith(traits: ContractTraits): ContractTarget {
  return { create: async () => ({ registry: createMemoryRegistry() }), traits };
}

function leftOut(traits: ContractTraits): Map<string, string> {
  const cases = registryContract(targetWith(traits)).flatMap((group) => group.cases);
  return new Map(cases.flatMap(({ name, leftOut: reason }) => (reason === undefined ? [] : [[name, reason]])));
}

/** A test runner that only records titles. */
function recorder(): { lines: string[] } & TestRunner {
  const lines: string[] = [];
  let path: string[] = [];
  return {
    lines,
    describe: (name, define) => {
      const before = path;
      path = [...before, name];
      define();
      path = before;
    },
    it: (name) => lines.push([...path, name].join(' > ')),
  };
}

type NodeTest = Pick<typeof nodeTest, 'describe' | 'it'>;

describe('registryContract', () => {
  test('names each group and each case of a group once', () => {
    const groups = registryContract(targetWith({}));
    expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length);
    for (const { name, cases } of groups) {
      expect(new Set(cases.map((each) => each.name)).size, name).toBe(cases.length);
    }
  });

  test('has the same cases for every target, with a reason for those that do not apply', () => {
    const namesFor = (traits: ContractTraits): string[] =>
      registryContract(targetWith(traits)).flatMap((group) => group.cases.map(({ name }) => name));
    const all = namesFor({});
    for (const traits of [{ sparse: true }, { immutableTags: true }, { readOnly: true }, { remote: true }]) {
      expect(namesFor(traits)).toEqual(all);
    }
  });

  test('accepts the code of missing content for an unknown repository, if the traits say so', async () => {
    const memory = createMemoryRegistry();
    const registry: Registry = {
      ...memory,
      getBlob: (repository, digest, options) =>
        memory.getBlob(repository, digest, options).catch((error: unknown) => {
          throw isRegistryError(error, 'NAME_UNKNOWN') ? new RegistryError('BLOB_UNKNOWN', 'not here') : error;
        }),
    };
    const reading = async (traits: ContractTraits): Promise<void> => {
      const found = registryContract({ create: async () => ({ registry }), traits })
        .find(({ name }) => name === 'reading blobs')
        ?.cases.find(({ name }) => name === 'does not find an unknown repository, and does not create it');
      await found?.run();
    };
    await reading({ lacks: ['unknownNames'] });
    await expect(reading({})).rejects.toThrow('expected NAME_UNKNOWN, but it is BLOB_UNKNOWN');
  });

  test.each<[ContractTraits, string, string]>([
    [{}, 'accepts an image whose config is missing', 'it is not sparse'],
    [{ sparse: true }, 'refuses an image whose config is missing', 'it is sparse'],
    [{ immutableTags: true }, 'moves a tag back and forth', 'its tags are immutable'],
    [{}, 'refuses another manifest, and does not store it', 'its tags are not immutable'],
    [{ readOnly: true }, 'sets several tags with one push', 'the registry is read-only'],
    [{}, 'refuses pushBlob, and changes nothing', 'the registry is not read-only'],
    [{ lacks: ['maintenance'] }, 'a blob that was not used since', 'it has no Maintenance'],
    [{}, 'says that it has none', 'it has Maintenance'],
    [{ lacks: ['uploadRead'] }, 'reads back the bytes received so far', 'its uploads cannot be read'],
    [{ lacks: ['ifTag'] }, 'sets a tag only if it does not exist', 'it has no conditions on tags'],
    [
      { lacks: ['anonymousMount'] },
      'finds a sha256 blob without being told a repository',
      'it mounts only from a named repository',
    ],
  ])('with %j leaves out "%s": %s', (traits, name, reason) => {
    expect(leftOut(traits).get(name)).toBe(reason);
  });

  test('closes the registry of a case, even if the case fails', async () => {
    let open = 0;
    const [group] = registryContract({
      create: async () => {
        open++;
        const registry = createMemoryRegistry();
        return {
          registry: { ...registry, pushBlob: () => Promise.reject(new Error('broken')) },
          close: async () => void open--,
        };
      },
    });
    for (const { run } of group?.cases.slice(0, 5) ?? []) await expect(run()).rejects.toThrow();
    expect(open).toBe(0);
  });

  test('fails for a registry without Maintenance whose traits do not say so', async () => {
    const registry = { ...createMemoryRegistry(), [maintenance]: undefined };
    const groups = registryContract({ create: async () => ({ registry }) });
    const verifies = groups.find(({ name }) => name === 'Maintenance verifies');
    await expect(verifies?.cases[0]?.run()).rejects.toThrow('lacks');
  });
});

describe('describeRegistry', () => {
  test('hands the cases that apply to the runner, below the name and their group', () => {
    const { lines, describe: group, it } = recorder();
    describeRegistry({ describe: group, it }, 'my store', targetWith({}));
    expect(lines).toContain('my store > pushing blobs > accepts empty pieces');
    expect(lines.filter((line) => line.startsWith('my store > a read-only registry'))).toEqual([]);
  });

  test('accepts the test runner of Node', () => {
    const runnerOf = ({ describe: group, it }: NodeTest): TestRunner => ({ describe: group, it });
    expect(runnerOf).toBeTypeOf('function'); // The proof is that this compiles.
  });
});
