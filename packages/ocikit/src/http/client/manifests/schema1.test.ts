import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { unwrapSchema1 } from './schema1.ts';

const manifest = JSON.stringify(
  { schemaVersion: 1, name: 'library/old', tag: 'ü', fsLayers: [], history: [] },
  null,
  3,
);
const base64Url = (text: string): string => Buffer.from(text).toString('base64url');

interface Envelope {
  formatLength?: unknown;
  formatTail?: unknown;
  signatures?: unknown;
}

/** As Docker's registry signed: the document's end is cut off, and the signatures take its place. */
function sign(document: string, changed: Envelope = {}): Uint8Array {
  const end = document.lastIndexOf('\n');
  const head = document.slice(0, end);
  const header = { formatLength: Buffer.byteLength(head), formatTail: base64Url(document.slice(end)), ...changed };
  const signature = { header: { alg: 'ES256' }, signature: 'c2ln', protected: base64Url(JSON.stringify(header)) };
  const signatures = JSON.stringify('signatures' in changed ? changed.signatures : [signature, signature], null, 3);
  return Buffer.from(`${head},\n   "signatures": ${signatures}\n}`);
}

describe('a signed manifest of version 1', () => {
  test('gives the manifest that was signed, byte for byte', () => {
    expect(Buffer.from(unwrapSchema1(sign(manifest))).toString()).toBe(manifest);
  });

  test('gives it whatever the manifest says', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.json(), { minKeys: 1 }), (fields) => {
        const document = JSON.stringify({ ...fields, signatures: undefined, schemaVersion: 1 }, null, 3);
        expect(Buffer.from(unwrapSchema1(sign(document))).toString()).toBe(document);
      }),
    );
  });

  test('may have its end in padded base64', () => {
    const end = Buffer.from(manifest.slice(manifest.lastIndexOf('\n'))).toString('base64');
    expect(end).toBe('Cn0=');
    expect(Buffer.from(unwrapSchema1(sign(manifest, { formatTail: end }))).toString()).toBe(manifest);
  });

  test.each<[string, Uint8Array]>([
    ['no signatures', Buffer.from(manifest)],
    ['an empty list of signatures', sign(manifest, { signatures: [] })],
    ['signatures that are no list', sign(manifest, { signatures: { protected: 'e30' } })],
    ['a signature that protects nothing', sign(manifest, { signatures: [{ signature: 'c2ln' }] })],
    ['a signature that is null', sign(manifest, { signatures: [null] })],
    [
      'signatures that contradict each other',
      sign(manifest, { signatures: [{ protected: 'e30' }, { protected: 'e31' }] }),
    ],
    ['a protected header that is not base64', sign(manifest, { signatures: [{ protected: '!' }] })],
    ['a protected header that is not JSON', sign(manifest, { signatures: [{ protected: base64Url('x') }] })],
    ['a protected header that is a list', sign(manifest, { signatures: [{ protected: base64Url('[]') }] })],
    ['a length beyond its own', sign(manifest, { formatLength: 100_000 })],
    ['a negative length', sign(manifest, { formatLength: -1 })],
    ['a broken length', sign(manifest, { formatLength: 1.5 })],
    ['a length that is no number', sign(manifest, { formatLength: '1' })],
    ['no end', sign(manifest, { formatTail: undefined })],
    ['an end that is not base64', sign(manifest, { formatTail: '!' })],
    ['bytes that are not JSON', Buffer.from('no JSON')],
    ['JSON that is no object', Buffer.from('[]')],
  ])('with %s is refused', (_what, bytes) => {
    expect(() => unwrapSchema1(bytes)).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
  });
});
