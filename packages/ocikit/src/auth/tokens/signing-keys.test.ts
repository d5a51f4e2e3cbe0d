import { generateKeyPairSync } from 'node:crypto';

import { decodeProtectedHeader } from 'jose';
import { describe, expect, test } from 'vitest';

import { anonymous } from '../../model/index.ts';
import { testCertificate } from '../../testing/node.ts';

import { formatKeys, memoryKeys, openSigningKeys, parseKeys, signingKeyFrom, tokenIssuer } from './index.ts';
import type { KeyStore } from './index.ts';

const day = 24 * 60 * 60_000;

/** A store that counts how often it is read. */
function counted(): { store: KeyStore; reads: () => number } {
  const inner = memoryKeys();
  let reads = 0;
  const read: KeyStore['read'] = () => {
    reads++;
    return inner.read();
  };
  return { store: { ...inner, read }, reads: () => reads };
}

describe('the signing keys of a store', () => {
  test('are made when first needed, and kept', async () => {
    const store = memoryKeys();
    const kid = (await (await openSigningKeys(store)).current()).kid;
    expect((await (await openSigningKeys(store)).current()).kid).toBe(kid);
    expect(await store.read()).toHaveLength(1);
  });

  test('are made once by several that open the store at the same time', async () => {
    const store = memoryKeys();
    const opened = await Promise.all(Array.from({ length: 5 }, () => openSigningKeys(store)));
    const kids = await Promise.all(opened.map(async (keys) => (await keys.current()).kid));
    expect(new Set(kids).size).toBe(1);
    expect(await store.read()).toHaveLength(1);
  });

  test('are published for a day before they sign, also by the process that did not make them', async () => {
    let now = 1000 * day;
    const store = memoryKeys();
    const [one, other] = [
      await openSigningKeys(store, { now: () => now }),
      await openSigningKeys(store, { now: () => now }),
    ];
    const { kid } = await one.current();
    now += 90 * day;
    const published = (await one.published()).keys.map((key) => key.kid);
    expect(published).toHaveLength(2);
    expect((await one.current()).kid).toBe(kid);
    now += 2000;
    expect(await other.find(published[1] ?? '')).toMatchObject({ kid: published[1] });
    now += day;
    expect((await one.current()).kid).toBe(published[1]);
    expect((await other.current()).kid).toBe(published[1]);
  });

  test('are read at most once a second, however many unknown keys are named', async () => {
    let now = 1000 * day;
    const { store, reads } = counted();
    const keys = await openSigningKeys(store, { now: () => now });
    const before = reads();
    now += 1000;
    await Promise.all(Array.from({ length: 1000 }, (_, i) => keys.find(`unknown ${i}`)));
    for (let i = 0; i < 1000; i++) await keys.find(`another ${i}`);
    expect(reads()).toBe(before + 1);
  });

  test('are unavailable, and not read again and again, while a store fails that an unknown key asks for', async () => {
    let now = 1000 * day;
    const { store, reads } = counted();
    let isBroken = false;
    const read = async (): ReturnType<KeyStore['read']> => {
      const records = await store.read();
      if (isBroken) throw new Error('the file of signing keys is no JSON');
      return records;
    };
    const keys = await openSigningKeys({ ...store, read }, { now: () => now });
    const { kid } = await keys.current();
    isBroken = true;
    now += 2000;
    const before = reads();
    await expect(keys.find('unknown')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    for (let i = 0; i < 10; i++) expect(await keys.find('unknown')).toBeUndefined();
    expect(reads()).toBe(before + 1);
    expect(await keys.find(kid)).toMatchObject({ kid });
  });

  test('go on to sign while the store cannot take the next one', async () => {
    let now = 1000 * day;
    const store = memoryKeys();
    let isReadOnly = false;
    let updates = 0;
    const update: KeyStore['update'] = async (change) => {
      updates++;
      if (isReadOnly) throw new Error('EROFS');
      await store.update(change);
    };
    const keys = await openSigningKeys({ ...store, update }, { now: () => now });
    const { kid } = await keys.current();
    isReadOnly = true;
    now += 91 * day;
    for (let i = 0; i < 10; i++) expect((await keys.current()).kid).toBe(kid);
    expect((await keys.published()).keys).toHaveLength(1);
    expect(updates).toBe(2);
    isReadOnly = false;
    now += 60_000;
    expect((await keys.published()).keys).toHaveLength(2);
    await expect(
      openSigningKeys({ ...memoryKeys(), update: () => Promise.reject(new Error('EROFS')) }),
    ).rejects.toThrow('EROFS');
  });

  test('call listeners when keys come', async () => {
    let now = 1000 * day;
    const keys = await openSigningKeys(memoryKeys(), { now: () => now });
    let calls = 0;
    keys.onChange(() => calls++);
    await keys.current();
    expect(calls).toBe(0);
    now += 91 * day;
    await keys.current();
    expect(calls).toBe(1);
  });

  test('are the same after they were text', async () => {
    const store = memoryKeys();
    await openSigningKeys(store, { now: () => 1_767_225_600_000 });
    const records = await store.read();
    expect(parseKeys(formatKeys(records))).toEqual(records);
  });

  test.each([
    ['', /no JSON/],
    ['{"keys": [{"jwk": {"d": "SECRET', /no JSON/],
    ['null', /no list "keys"/],
    ['{"keys": 7}', /no list "keys"/],
    ['{"keys": [null]}', /keys\[0\]\.jwk/],
    ['{"keys": [{"jwk": {"kty": "RSA", "d": "SECRET"}}]}', /keys\[0\]\.jwk/],
    ['{"keys": [{"jwk": {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "d": "SECRET"}}]}', /keys\[0\]\.jwk/],
  ])('cannot be read from %j, which the error does not quote', (text, message) => {
    expect(() => parseKeys(text)).toThrow(message);
    expect(() => parseKeys(text)).not.toThrow(/SECRET/);
  });
});

describe('a key of your own', () => {
  test('signs, and names its certificates', async () => {
    const { cert, key } = await testCertificate(['tokens.example']);
    const keys = await signingKeyFrom({ key, certificates: cert });
    const { token } = await tokenIssuer({ keys, issuer: 'i', service: 's' }).access(anonymous, []);
    const { kid, x5c } = decodeProtectedHeader(token);
    expect((await keys.published()).keys[0]?.kid).toBe(kid);
    expect(x5c).toEqual([cert.replaceAll(/-----[A-Z ]+-----|\s/g, '')]);
    await expect(signingKeyFrom({ key, certificates: 'none' })).rejects.toThrow(/BEGIN CERTIFICATE/);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const other = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const wrong of ['', 'SECRET', other, cert]) {
      await expect(signingKeyFrom({ key: wrong })).rejects.toThrow(/^the signing key is no private EC key on P-256/);
    }
  });
});
