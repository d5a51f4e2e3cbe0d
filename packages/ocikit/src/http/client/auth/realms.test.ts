import { describe, expect, test } from 'vitest';

import { realmRule } from './realms.ts';

const rule = (registry: string, trusted: string[] = []) => realmRule(new URL(registry), trusted);

describe('a realm', () => {
  test.each([
    ['https://registry-1.docker.io', 'https://auth.docker.io/token'],
    ['https://ghcr.io', 'https://ghcr.io/token'],
    ['https://registry.gitlab.com', 'https://gitlab.com/jwt/auth'],
    ['https://registry.example.com', 'https://gitlab.example.com/jwt/auth'],
    ['https://registry.example.com:5000', 'https://registry.example.com:5001/token'],
    ['https://example.com', 'https://auth.example.com/token'],
    ['https://registry.digitalocean.com', 'https://api.digitalocean.com/v2/registry/auth'],
    ['https://docker.elastic.co', 'https://docker-auth.elastic.co/auth'],
    ['https://registry.cn-hangzhou.aliyuncs.com', 'https://dockerauth.cn-hangzhou.aliyuncs.com/auth'],
    ['https://e.azurecr.io', 'https://e.azurecr.io/oauth2/token'],
    ['https://rg.fr-par.scw.cloud', 'https://api.scaleway.com/registry-internal/v1/regions/fr-par/tokens'],
    ['http://localhost:5000', 'http://localhost:5001/token'],
    ['http://127.0.0.1:5000', 'https://127.0.0.1/token'],
    ['http://registry:5000', 'http://registry/token'],
  ])('of %s at %s may have stored secrets', (registry, realm) => {
    expect(rule(registry).mayHaveSecrets(new URL(realm))).toBe(true);
  });

  test.each([
    ['https://registry.example.com', 'https://example.org/token'],
    ['https://registry.example.com', 'https://evil-example.com/token'],
    ['https://registry.example.com', 'https://registry.example.com.evil.net/token'],
    ['https://registry.example.com', 'https://a.b.example.com/token'],
    ['https://registry.example.com', 'https://com/token'],
    ['https://example.com', 'https://example.net/token'],
    ['https://example.com', 'https://evil.com/token'],
    ['https://example.co.uk', 'https://evil.co.uk/token'],
    ['https://mine.azurecr.io', 'https://evil.azurecr.io/token'],
    ['https://mine.jfrog.io', 'https://evil.jfrog.io/token'],
    ['https://a-5000.app.github.dev', 'https://b-5000.app.github.dev/token'],
    ['https://1.dkr.ecr.eu-west-1.amazonaws.com', 'https://2.dkr.ecr.eu-west-1.amazonaws.com/token'],
    ['http://registry:5000', 'http://auth:5001/token'],
    ['http://127.0.0.1:5000', 'http://127.0.0.2:5000/token'],
    ['http://10.0.0.1', 'http://9.10.0.0.1.example/token'],
    ['http://[::1]:5000', 'http://localhost:5000/token'],
    ['https://registry.example.com', 'http://registry.example.com/token'],
    ['https://registry.example.com', 'https://user@registry.example.com/token'],
    ['https://api.example.com', 'https://api.scaleway.com/token'],
    ['https://evilscw.cloud', 'https://api.scaleway.com/token'],
  ])('of %s at %s may not', (registry, realm) => {
    expect(rule(registry).mayHaveSecrets(new URL(realm))).toBe(false);
  });

  test('may have stored secrets if the caller trusts its origin, and not if only its host is the same', () => {
    const trusting = rule('https://registry.example.com', ['https://auth.example.org/']);
    expect(trusting.mayHaveSecrets(new URL('https://auth.example.org/any/token?x=y'))).toBe(true);
    expect(trusting.mayHaveSecrets(new URL('https://auth.example.org:8443/token'))).toBe(false);
  });

  test('that the caller trusts still has to be asked by https', () => {
    const trusting = rule('https://registry.example.com', ['http://auth.example.org']);
    expect(trusting.mayHaveSecrets(new URL('http://auth.example.org/token'))).toBe(false);
  });

  test('that the caller trusts has to be an origin', () => {
    expect(() => rule('https://registry.example.com', ['auth.example.org'])).toThrow(TypeError);
  });

  test.each([
    ['https://r.example.com', 'https://auth.example.org/token?a=b#c', 'https://auth.example.org/token?a=b'],
    ['https://r.example.com', '/token', 'https://r.example.com/token'],
    ['http://localhost:5000', 'http://localhost:5001/token', 'http://localhost:5001/token'],
    ['https://r.example.com', undefined, undefined],
    ['https://r.example.com', '', undefined],
    ['https://r.example.com', 'Registry Realm', undefined],
    ['https://r.example.com', '//auth.example.org/token', undefined],
    ['https://r.example.com', 'https://', undefined],
    ['https://r.example.com', 'http://r.example.com/token', 'https://r.example.com/token'],
    ['https://r.example.com:8443', 'http://r.example.com/token', 'https://r.example.com:8443/token'],
    ['https://r.example.com', 'http://auth.example.com/token', undefined],
    ['https://r.example.com', 'http://r.example.com:5001/token', undefined],
    ['https://r.example.com', 'https://user:pass@r.example.com/token', undefined],
    ['https://r.example.com', 'file:///etc/passwd', undefined],
    ['http://r.example.com', 'ftp://r.example.com/', undefined],
  ])('of %s that is %j is located at %j', (registry, realm, url) => {
    expect(rule(registry).locate(realm)?.href).toBe(url);
  });
});
