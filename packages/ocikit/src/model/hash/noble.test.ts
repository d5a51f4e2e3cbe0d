import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import * as noble from './noble.ts';
import * as node from './node.ts';

const algorithms = ['sha256', 'sha512'] as const;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('the hash for browsers', () => {
  test.each(algorithms)('%s gives what the one of node:crypto gives, at every step', (algorithm) => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, (all) => {
        const [browser, server] = [noble.createHash(algorithm), node.createHash(algorithm)];
        for (const piece of all) {
          browser.update(piece);
          server.update(piece);
          expect(hex(browser.digest())).toBe(hex(server.digest()));
        }
        expect(hex(browser.digest())).toBe(hex(server.digest()));
      }),
    );
  });

  test('MACs are those of node:crypto, with keys of any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (key, message) => {
        expect(hex(noble.hmacSha256(key, message))).toBe(hex(node.hmacSha256(key, message)));
      }),
    );
  });
});

describe.each([
  ['noble', noble],
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
