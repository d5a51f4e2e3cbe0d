import { describe, expect, test } from 'vitest';

import { parsePlatform } from '../../model/index.ts';
import type { Platform } from '../../model/index.ts';

import { chooseEntry, matchingEntries, normalizePlatform, runsOn } from '../index.ts';

test.each<[Partial<Platform>, Platform]>([
  [
    { os: 'Linux', architecture: 'x86_64' },
    { os: 'linux', architecture: 'amd64' },
  ],
  [
    { os: 'linux', architecture: 'amd64', variant: 'v1' },
    { os: 'linux', architecture: 'amd64' },
  ],
  [
    { os: 'linux', architecture: 'aarch64' },
    { os: 'linux', architecture: 'arm64' },
  ],
  [
    { os: 'linux', architecture: 'arm64', variant: '8' },
    { os: 'linux', architecture: 'arm64' },
  ],
  [
    { os: 'linux', architecture: 'arm', variant: 'v7' },
    { os: 'linux', architecture: 'arm' },
  ],
  [
    { os: 'linux', architecture: 'armhf' },
    { os: 'linux', architecture: 'arm' },
  ],
  [
    { os: 'linux', architecture: 'armel' },
    { os: 'linux', architecture: 'arm', variant: 'v6' },
  ],
  [
    { os: 'linux', architecture: 'i686' },
    { os: 'linux', architecture: '386' },
  ],
  [
    { os: 'macOS', architecture: 'arm64', 'os.version': '' },
    { os: 'darwin', architecture: 'arm64' },
  ],
  [{ 'os.features': [] }, { os: '', architecture: '' }],
])('%j is %j', (platform, expected) => {
  expect(normalizePlatform(platform)).toEqual(expected);
  expect(normalizePlatform(expected)).toEqual(expected);
});

test.each([
  ['linux/amd64', 'linux/amd64', true],
  ['linux/amd64', 'linux/arm64', false],
  ['linux/amd64', 'windows/amd64', false],
  ['linux/x86_64', 'linux/amd64', true],
  ['linux/arm/v6', 'linux/arm/v7', true],
  ['linux/arm/v7', 'linux/arm/v6', false],
  ['linux/arm/v7', 'linux/arm', true],
  ['linux/arm/v6', 'linux/arm', true],
  ['linux/arm/v8', 'linux/arm', false],
  ['linux/arm', 'linux/arm/v6', false],
  ['linux/arm64/v8', 'linux/arm64', true],
  ['linux/arm64', 'linux/arm64/v9', true],
  ['linux/arm64/v8.2', 'linux/arm64/v8.1', false],
  ['linux/arm64/v8.1', 'linux/arm64/v9', true],
  ['linux/amd64/v3', 'linux/amd64', false],
  ['linux/amd64/v2', 'linux/amd64/v3', true],
  ['linux/arm/v7', 'linux/arm64', false],
  ['linux/riscv64/rva22u64', 'linux/riscv64/rva20u64', false],
  ['linux/riscv64', 'linux/riscv64/rva20u64', true],
  ['linux/mips64le/softfloat', 'linux/mips64le', false],
  ['windows/amd64:10.0.17763.1234', 'windows/amd64:10.0.17763.99', true],
  ['windows/amd64:10.0.20348.1', 'windows/amd64:10.0.17763.1', false],
  ['windows/amd64:10.0.20348.1', 'windows/amd64', true],
  ['windows/amd64', 'windows/amd64:10.0.17763.1', true],
  ['freebsd/amd64:14.1', 'freebsd/amd64:14.1', true],
  ['freebsd/amd64:14.1', 'freebsd/amd64:14.1.1', false],
  ['unknown/unknown', 'linux/amd64', false],
])('what is made for %s on %s: %s', (offered, wanted, runs) => {
  expect(runsOn(parsePlatform(offered), parsePlatform(wanted))).toBe(runs);
});

test('an image that needs a feature runs only on platforms with it', () => {
  const plain = parsePlatform('windows/amd64');
  const needy = { ...plain, 'os.features': ['win32k'] };
  expect(runsOn(needy, plain)).toBe(false);
  expect(runsOn(needy, { ...plain, 'os.features': ['other', 'win32k'] })).toBe(true);
  expect(runsOn(plain, needy)).toBe(true);
});

test('a platform with missing parts runs nowhere', () => {
  for (const part of [{}, { os: 'linux' }, { architecture: 'amd64' }]) {
    expect(runsOn(part, parsePlatform('linux/amd64'))).toBe(false);
  }
});

describe('among several entries', () => {
  const entriesOf = (...platforms: readonly (string | undefined)[]): { platform?: Platform; at: number }[] =>
    platforms.map((text, at) => (text === undefined ? { at } : { platform: parsePlatform(text), at }));
  const order = (wanted: string, ...platforms: readonly (string | undefined)[]): number[] =>
    matchingEntries(entriesOf(...platforms), parsePlatform(wanted)).map(({ at }) => at);

  test('the one with the highest variant that runs comes first', () => {
    expect(order('linux/arm/v7', 'linux/arm/v5', 'linux/arm/v8', 'linux/arm/v7', 'linux/arm/v6')).toEqual([2, 3, 0]);
    expect(order('linux/amd64/v3', 'linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4')).toEqual([1, 0]);
  });

  test('the one with the newest build of Windows comes first, and one without a build last', () => {
    const builds = ['', ':10.0.17763.99', ':10.0.20348.1', ':10.0.17763.1234'].map((it) => `windows/amd64${it}`);
    expect(order('windows/amd64:10.0.17763.1', ...builds)).toEqual([3, 1, 0]);
    expect(order('windows/amd64', ...builds)).toEqual([2, 3, 1, 0]);
  });

  test('equally good ones keep their order', () => {
    expect(order('linux/arm64', 'linux/arm64', 'linux/amd64', 'linux/arm64/v8', 'linux/aarch64')).toEqual([0, 2, 3]);
  });

  test('those without a platform are left out', () => {
    expect(order('linux/arm64', undefined, 'linux/arm64')).toEqual([1]);
    expect(order('linux/arm64', undefined)).toEqual([]);
  });

  test('one is chosen for the first platform that has one', () => {
    const entries = entriesOf('linux/amd64', 'linux/arm64', 'darwin/amd64');
    const choose = (...wanted: readonly string[]): number | undefined =>
      chooseEntry(entries, wanted.map(parsePlatform))?.at;
    expect(choose('darwin/arm64', 'linux/arm64')).toBe(1);
    expect(choose('darwin/amd64', 'linux/amd64')).toBe(2);
    expect(choose('windows/amd64')).toBeUndefined();
    expect(choose()).toBeUndefined();
  });
});
