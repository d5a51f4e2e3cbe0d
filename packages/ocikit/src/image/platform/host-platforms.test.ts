import { afterEach, expect, test, vi } from 'vitest';

import { formatPlatform } from '../../model/index.ts';

import { hostPlatforms } from '../index.ts';
import type { HostProcess } from '../index.ts';

afterEach(() => vi.unstubAllGlobals());

const named = (host?: HostProcess): string[] => hostPlatforms(host).map(formatPlatform);

test.each<[HostProcess, string[]]>([
  [{ platform: 'linux', arch: 'x64' }, ['linux/amd64']],
  [{ platform: 'linux', arch: 'arm64' }, ['linux/arm64']],
  [{ platform: 'linux', arch: 'ia32' }, ['linux/386']],
  [{ platform: 'linux', arch: 'ppc64' }, ['linux/ppc64le']],
  [{ platform: 'aix', arch: 'ppc64' }, ['aix/ppc64', 'linux/ppc64']],
  [{ platform: 'linux', arch: 's390x' }, ['linux/s390x']],
  [{ platform: 'linux', arch: 'riscv64', config: {} }, ['linux/riscv64']],
  [{ platform: 'linux', arch: 'arm', config: { variables: { arm_version: '6' } } }, ['linux/arm/v6']],
  [{ platform: 'linux', arch: 'arm', config: { variables: { arm_version: 'default' } } }, ['linux/arm']],
  [{ platform: 'linux', arch: 'arm64', config: { variables: { arm_version: '6' } } }, ['linux/arm64']],
  [{ platform: 'darwin', arch: 'arm64' }, ['darwin/arm64', 'linux/arm64']],
  [{ platform: 'win32', arch: 'x64' }, ['windows/amd64', 'linux/amd64']],
])('on %j it is %j', (host, platforms) => {
  expect(named(host)).toEqual(platforms);
});

test('the default is the machine that runs the test', () => {
  expect(named()).toEqual(named(process));
});

test.each([
  ['none', undefined],
  ['an empty one', {}],
  ['a bundler’s', { env: {} }],
])('where the global process is %s, it is linux/amd64', (_what, found) => {
  vi.stubGlobal('process', found);
  expect(named()).toEqual(['linux/amd64']);
});
