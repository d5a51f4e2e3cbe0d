import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatPlatform, parsePlatform } from './descriptor.ts';
import type { Platform } from './descriptor.ts';

describe('a platform', () => {
  test.each<[string, Platform]>([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }],
    ['linux/arm/v7', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['windows/amd64:10.0.20348.587', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.587' }],
    ['linux/arm64/v8:5', { os: 'linux', architecture: 'arm64', variant: 'v8', 'os.version': '5' }],
    ['unknown/unknown', { os: 'unknown', architecture: 'unknown' }],
  ])('%s is parsed and formatted', (text, platform) => {
    expect(parsePlatform(text)).toStrictEqual(platform);
    expect(formatPlatform(platform)).toBe(text);
  });

  test.each([
    '',
    'linux',
    'linux/',
    '/amd64',
    'linux//v7',
    'linux/arm/',
    'linux/arm/v7/x',
    'linux/amd64:',
    'linux/amd64:1:2',
    'linux /amd64',
    'linux/amd64\n',
    'linux/amd64,linux/arm64',
  ])('%j is none', (text) => {
    expect(() => parsePlatform(text)).toThrow(TypeError);
    expect(() => parsePlatform(text)).toThrow(JSON.stringify(text));
  });

  test('is shown without empty fields, which Go programs write', () => {
    expect(formatPlatform({ os: 'linux', architecture: 'arm', variant: '', 'os.version': '' })).toBe('linux/arm');
  });

  test('is the same after formatting and parsing', () => {
    const word = fc.stringMatching(/^[\w.-]{1,10}$/);
    const platform = fc.record(
      { os: word, architecture: word, variant: word, 'os.version': word },
      { requiredKeys: ['os', 'architecture'] },
    );
    fc.assert(
      fc.property(platform, (any) => {
        expect(parsePlatform(formatPlatform(any))).toStrictEqual({ ...any });
      }),
    );
  });
});
