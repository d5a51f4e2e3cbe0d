import { describe, expect, test } from 'vitest';

import { cpuTimeOf } from '../../test/cpu-time.ts';

import { wrongDigest } from './content-errors.ts';
import {
  digestAlgorithm,
  digestAlgorithms,
  Digester,
  digestOf,
  digestPattern,
  digestsIn,
  isDigest,
  parseDigest,
  registerAlgorithm,
  splitDigest,
} from './digest.ts';
import type { DigestAlgorithm } from './digest.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const hex64 = '0123456789abcdef'.repeat(4);
const hex128 = hex64.repeat(2);

/** FIPS 180-2's examples. */
const vectors = [
  ['sha256', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['sha256', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'sha256',
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  ['sha256', 'a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  [
    'sha512',
    '',
    'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
  ],
  [
    'sha512',
    'abc',
    'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
  ],
] as const;

describe('the digest of bytes', () => {
  test.each(vectors)('%s of %.60s is the known one', (algorithm, text, encoded) => {
    expect(digestOf(encode(text), algorithm)).toBe(`${algorithm}:${encoded}`);
  });

  test('is of sha256 if no algorithm is named', () => {
    expect(digestOf(encode('abc'))).toBe(digestOf(encode('abc'), 'sha256'));
  });

  test('is of the view only, not of the buffer behind it', () => {
    expect(digestOf(encode('xxabcxx').subarray(2, 5))).toBe(digestOf(encode('abc')));
  });

  test('cannot be had of an algorithm that is not registered', () => {
    expect(() => digestOf(encode('abc'), 'md5')).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
    expect(() => digestOf(encode('abc'), 'md5')).toThrow('use sha256 or sha512');
  });
});

describe('parsing a digest', () => {
  test.each([`sha256:${hex64}`, `sha512:${hex128}`])('accepts %s as it is', (text) => {
    expect(parseDigest(text)).toBe(text);
    expect(isDigest(text)).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['a colon alone', ':'],
    ['no algorithm', `:${hex64}`],
    ['no encoded part', 'sha256:'],
    ['no colon', `sha256${hex64}`],
    ['an encoded part without algorithm', hex64],
    ['one digit too few', `sha256:${hex64.slice(1)}`],
    ['one digit too many', `sha256:${hex64}0`],
    ['the length of sha512', `sha256:${hex128}`],
    ['the length of sha256', `sha512:${hex64}`],
    ['upper-case digits', `sha256:${hex64.toUpperCase()}`],
    ['one upper-case digit', `sha256:${hex64.slice(1)}A`],
    ['a letter that is no digit', `sha256:${hex64.slice(1)}g`],
    ['another writing of a digit', `sha256:${hex64.slice(1)}٣`],
    ['an upper-case algorithm', `SHA256:${hex64}`],
    ['an algorithm that is not registered', 'md5:d41d8cd98f00b204e9800998ecf8427e'],
    ['a separator at the algorithm’s start', `+sha256:${hex64}`],
    ['a separator at the algorithm’s end', `sha256+:${hex64}`],
    ['two separators in a row', `sha256+.b64:${hex64}`],
    ['a property of every object', `constructor:${hex64}`],
    ['a blank before', ` sha256:${hex64}`],
    ['a blank after', `sha256:${hex64} `],
    ['a line break after', `sha256:${hex64}\n`],
    ['two colons', `sha256:${hex64.slice(2)}:0`],
    ['a path', `sha256:../../${hex64.slice(6)}`],
    ['a NUL', `sha256:${hex64.slice(1)}\0`],
  ])('rejects %s', (_what, text) => {
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ name: 'RegistryError', code: 'DIGEST_INVALID' }));
    expect(isDigest(text)).toBe(false);
  });

  test('quotes no more than the start of what was sent', () => {
    expect(() => parseDigest(`"\u0007${'x'.repeat(5000)}`)).toThrow(/^"\\"\\u0007x{98}…" is not/);
  });

  test('says which algorithms there are', () => {
    expect(() => parseDigest('md5:00')).toThrow('"md5" is not supported: use sha256 or sha512');
  });

  test('says how many digits there have to be', () => {
    expect(() => parseDigest('sha512:00')).toThrow('sha512 has 128 lower-case hexadecimal digits');
  });

  test('knows fewer digests than the grammar, which matches those of all algorithms', () => {
    expect(digestPattern.test('sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564')).toBe(true);
    expect(digestPattern.test('multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8')).toBe(true);
  });
});

test('a digest is split at its colon', () => {
  expect(splitDigest(`sha512:${hex128}`)).toEqual({ algorithm: 'sha512', encoded: hex128 });
});

describe('registering an algorithm', () => {
  /** Not a good hash: the sum of all bytes. */
  const sum = (overrides: Partial<DigestAlgorithm> = {}): DigestAlgorithm => ({
    name: 'sum',
    size: 2,
    create() {
      let total = 0;
      return {
        update: (bytes) => bytes.forEach((byte) => (total += byte)),
        digest: () => Uint8Array.of((total >> 8) & 0xff, total & 0xff),
      };
    },
    ...overrides,
  });

  test('makes it known to everything that parses or computes a digest', () => {
    registerAlgorithm(sum({ name: 'test.sum-16' }));
    expect(digestAlgorithms()).toEqual(['sha256', 'sha512', 'test.sum-16']);
    expect(digestOf(Uint8Array.of(255, 2), 'test.sum-16')).toBe('test.sum-16:0101');
    expect(parseDigest('test.sum-16:0101')).toBe('test.sum-16:0101');
    expect(isDigest('test.sum-16:01010')).toBe(false);
    expect(digestAlgorithm('test.sum-16').size).toBe(2);
  });

  test.each([
    ['a name that is taken', sum({ name: 'sha256', size: 32 }), 'sha256 is already registered'],
    ['a taken name before anything else that is wrong', sum({ name: 'sha256', size: -1 }), 'already registered'],
    ['no name', sum({ name: '' }), 'not a digest algorithm'],
    ['an upper-case name', sum({ name: 'Sum' }), 'not a digest algorithm'],
    ['a name with a colon', sum({ name: 'a:b' }), 'not a digest algorithm'],
    ['a name with two separators in a row', sum({ name: 'a--b' }), 'not a digest algorithm'],
    ['a name that ends with a separator', sum({ name: 'a_' }), 'not a digest algorithm'],
    [
      'a hash that is shorter than it says',
      sum({ name: 'x1', size: 3 }),
      'declares a size of 3 bytes, but its hash has 2',
    ],
    [
      'a hash that is longer than it says',
      sum({ name: 'x2', size: 1 }),
      'declares a size of 1 bytes, but its hash has 2',
    ],
    ['no size', sum({ name: 'x3', size: 0 }), 'declares a size of 0 bytes'],
    ['a negative size', sum({ name: 'x4', size: -2 }), 'declares a size of -2 bytes'],
    ['a size that is no number', sum({ name: 'x5', size: Number.NaN }), 'declares a size of NaN bytes'],
    [
      'a hash of no bytes',
      sum({ name: 'x6', size: 0, create: () => ({ update: () => undefined, digest: () => new Uint8Array() }) }),
      'declares a size of 0 bytes',
    ],
  ])('fails for %s, and nothing is registered', (_what, algorithm, message) => {
    const before = digestAlgorithms();
    expect(() => registerAlgorithm(algorithm)).toThrow(TypeError);
    expect(() => registerAlgorithm(algorithm)).toThrow(message);
    expect(digestAlgorithms()).toEqual(before);
  });

  test.each<[string, Partial<DigestAlgorithm>]>([
    [
      'cannot be created',
      {
        create() {
          throw new Error('it is broken');
        },
      },
    ],
    [
      'does not take bytes',
      {
        create: () => ({
          update() {
            throw new Error('it is broken');
          },
          digest: () => new Uint8Array(2),
        }),
      },
    ],
    [
      'gives no digest',
      {
        create: () => ({
          update: () => undefined,
          digest() {
            throw new Error('it is broken');
          },
        }),
      },
    ],
  ])('tries it: one that %s fails with its own error', (_what, broken) => {
    expect(() => registerAlgorithm(sum({ name: 'broken', ...broken }))).toThrow('it is broken');
    expect(digestAlgorithms()).not.toContain('broken');
  });
});

describe('a digester', () => {
  test('gives the digest of all pieces together, however they are cut', () => {
    const digester = new Digester();
    for (const piece of ['a', '', 'b', 'c']) digester.update(encode(piece));
    expect(digester.digest()).toBe(digestOf(encode('abc')));
    expect(digester.size).toBe(3);
  });

  test('goes on after a digest was asked for', () => {
    const digester = new Digester('sha256', 'sha512');
    expect(digester.digests()).toEqual([digestOf(encode('')), digestOf(encode(''), 'sha512')]);
    digester.update(encode('ab'));
    expect(digester.digest()).toBe(digestOf(encode('ab')));
    expect(digester.digest()).toBe(digestOf(encode('ab')));
    digester.update(encode('c'));
    expect(digester.digests()).toEqual([digestOf(encode('abc')), digestOf(encode('abc'), 'sha512')]);
  });

  test('computes several algorithms in one pass, in the order in which they were named', () => {
    const digester = new Digester('sha512', 'sha256');
    digester.update(encode('abc'));
    const [sha512, sha256] = [digestOf(encode('abc'), 'sha512'), digestOf(encode('abc'), 'sha256')];
    expect(digester.digests()).toEqual([sha512, sha256]);
    expect(digester.digest()).toBe(sha512);
    expect(digester.digest('sha256')).toBe(sha256);
    expect(digester.size).toBe(3);
  });

  test('rejects an algorithm that is named twice', () => {
    const twice = (): Digester => new Digester('sha256', 'sha512', 'sha256');
    expect(twice).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
    expect(twice).toThrow('named twice');
  });

  test('rejects an algorithm that is not registered', () => {
    expect(() => new Digester('sha256', 'crc32')).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
  });

  test('has no digest of an algorithm that it was not made for', () => {
    expect(() => new Digester('sha256').digest('sha512')).toThrow(expect.objectContaining({ code: 'DIGEST_INVALID' }));
  });
});

test('the error of a wrong digest says both digests, in words and for programs', () => {
  const error = wrongDigest(`sha256:${hex64}`, `sha512:${hex128}`);
  expect(error.message).toBe(`the content's digest is sha512:${hex128}, not sha256:${hex64}`);
  expect(error).toMatchObject({
    code: 'DIGEST_INVALID',
    detail: { expected: `sha256:${hex64}`, found: `sha512:${hex128}` },
  });
});

test('the digests in a text are those that are whole, in any place', () => {
  const [short, long] = ['a'.repeat(64), 'b'.repeat(128)];
  const text = `{"x":"sha256:${short}","y":["sha512:${long}"]} sha256:${short}0 sha256:${short.toUpperCase()} md5:${short}`;
  expect(digestsIn(text)).toEqual([`sha256:${short}`, `sha512:${long}`]);
  expect(digestsIn('')).toEqual([]);
});

test('looking for digests takes no longer in one text than in another', () => {
  const took = cpuTimeOf(() => {
    for (const unit of ['a', ':', 'a.', 'sha256:', 'sha256:a']) expect(digestsIn(unit.repeat(100_000))).toEqual([]);
  });
  expect(took).toBeLessThan(5000);
});
