// Signing keys as text, for a file.
import type { KeyRecord, PrivateJwk } from './key-record.ts';

/**
 * Writes signing keys as JSON: `{ "keys": [{ "jwk": { … }, "created": "2026-01-31T00:00:00.000Z" }] }`.
 *
 * @example await writeFile('keys.json', formatKeys(await store.read()), { mode: 0o600 });
 */
export function formatKeys(keys: readonly KeyRecord[]): string {
  const all = keys.map(({ jwk, created }) => ({ jwk, created: new Date(created).toISOString() }));
  return `${JSON.stringify({ keys: all }, undefined, 2)}\n`;
}

/**
 * Reads what {@link formatKeys} has written.
 *
 * @throws Error that names the faulty key and no part of a secret
 * @example const keys = parseKeys(await readFile('keys.json', 'utf8'));
 */
export function parseKeys(text: string): KeyRecord[] {
  const document = parsed(text);
  const { keys } = isObject(document) ? document : {};
  if (!Array.isArray(keys)) throw new Error('the file of signing keys has no list "keys"');
  return keys.map((entry: unknown, i) => {
    const { jwk, created } = isObject(entry) ? entry : {};
    if (!isPrivateKey(jwk)) throw new Error(`keys[${i}].jwk is no private EC key on P-256`);
    const at = typeof created === 'string' ? Date.parse(created) : Number.NaN;
    if (Number.isNaN(at)) throw new Error(`keys[${i}].created is no time: write it as 2026-01-31T00:00:00Z`);
    return { jwk, created: at };
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message would quote the text.
    throw new Error('the file of signing keys is no JSON');
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isPrivateKey(jwk: unknown): jwk is PrivateJwk {
  if (!isObject(jwk) || jwk['kty'] !== 'EC' || jwk['crv'] !== 'P-256') return false;
  return ['d', 'x', 'y'].every((name) => typeof jwk[name] === 'string' && /^[\w-]{43}$/.test(jwk[name]));
}
