import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import * as web from './web.ts';
import * as node from './node.ts';

const algorithms = ['sha256', 'sha512'] as const;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the hash for browsers', () => {
  test.each(algorithms)('%s gives what the one of node:crypto gives, at every step', (algorithm) => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (all) => {
        const [browser, server] = [web.createHash(algorithm), node.createHash(algorithm)];
        for (const piece of all) {
          browser.update(piece);
          server.update(piece);
          expect(hex(browser.digest())).toBe(hex(server.digest()));
        }
        expect(hex(browser.digest())).toBe(hex(server.digest()));
      }),
    );
  });

  test.each(algorithms)('%s: pieces are hashed where they stand in their memory', (algorithm) => {
    const memory = fc.uint8Array({ minLength: 1, maxLength: 1000 });
    const cuts = fc.array(fc.nat({ max: 1000 }), { maxLength: 6 });
    fc.assert(
      fc.property(memory, cuts, (bytes, at) => {
        const [browser, server] = [web.createHash(algorithm), node.createHash(algorithm)];
        server.update(bytes.subarray(1));
        const ends = [...at.filter((end) => end < bytes.length), bytes.length].toSorted((a, b) => a - b);
        let start = 1;
        for (const end of ends) {
          browser.update(bytes.subarray(start, end));
          start = Math.max(start, end);
        }
        expect(hex(browser.digest())).toBe(hex(server.digest()));
      }),
    );
  });

  test.each(algorithms)('%s of all bytes at once is the same', (algorithm) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        const hash = node.createHash(algorithm);
        hash.update(bytes);
        expect(web.hexHash(algorithm, bytes)).toBe(hex(hash.digest()));
        expect(node.hexHash(algorithm, bytes)).toBe(hex(hash.digest()));
      }),
    );
  });

  test('MACs are those of node:crypto, with keys of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (key, message) => {
        expect(hex(web.hmacSha256(key, message))).toBe(hex(node.hmacSha256(key, message)));
      }),
    );
  });
});

describe.each([
  ['web', web],
  ['node', node],
])('the %s implementation', (_name, { createHash, hmacSha256 }) => {
  test.each(algorithms)('%s: asking for the digest does not end the hash', (algorithm) => {
    const [asked, unasked] = [createHash(algorithm), createHash(algorithm)];
    for (let i = 0; i < 5; i++) {
      asked.update(Uint8Array.of(i));
      unasked.update(Uint8Array.of(i));
      asked.digest();
    }
    expect(hex(asked.digest())).toBe(hex(unasked.digest()));
    expect(hex(asked.digest())).toBe(hex(unasked.digest()));
  });

  // FIPS 180-4's examples, and those of the NIST's test vectors that end just where the padding begins.
  test.each([
    [
      '',
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e',
    ],
    [
      'abc',
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    ],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
      '204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c33596fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445',
    ],
    [
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
      'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
      '8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909',
    ],
    [
      'a'.repeat(1_000_000),
      'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
      'e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973ebde0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b',
    ],
  ])('the hashes of %.20j are the known ones', (text, ...known) => {
    for (const [i, algorithm] of algorithms.entries()) {
      const hash = createHash(algorithm);
      hash.update(Buffer.from(text));
      expect(hex(hash.digest())).toBe(known[i]);
    }
  });

  test('the bytes may be changed after they were given', () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const [changed, same] = [createHash('sha256'), createHash('sha256')];
    changed.update(bytes);
    bytes.fill(9);
    same.update(Uint8Array.of(1, 2, 3));
    expect(hex(changed.digest())).toBe(hex(same.digest()));
  });

  // RFC 4231, test cases 1 and 6.
  test.each([
    [Buffer.alloc(20, 0x0b), 'Hi There', 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      Buffer.alloc(131, 0xaa),
      'Test Using Larger Than Block-Size Key - Hash Key First',
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
  ])('HMAC-SHA-256 with the key %s is the known one', (key, message, mac) => {
    expect(hex(hmacSha256(key, Buffer.from(message)))).toBe(mac);
  });
});
