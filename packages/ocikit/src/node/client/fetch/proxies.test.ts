import { describe, expect, test } from 'vitest';

import { proxyChoice } from './proxies.ts';
import type { ProxyOptions } from './proxies.ts';

function proxyOf(url: string, options: ProxyOptions, environment: Record<string, string> = {}): string | undefined {
  return proxyChoice(options, environment)(new URL(url))?.href;
}

describe('the proxy', () => {
  const environment = { HTTPS_PROXY: 'http://secure:1', HTTP_PROXY: 'http://plain:2', ALL_PROXY: 'http://all:3' };

  test.each<[string, string, ProxyOptions, Record<string, string>, string | undefined]>([
    ['of the environment by scheme', 'https://a.test/', {}, environment, 'http://secure:1/'],
    ['of the environment by scheme', 'http://a.test/', {}, environment, 'http://plain:2/'],
    ['for all schemes', 'http://a.test/', {}, { ALL_PROXY: 'http://all:3' }, 'http://all:3/'],
    [
      'in lower case first',
      'https://a.test/',
      {},
      { ...environment, https_proxy: 'http://small:4' },
      'http://small:4/',
    ],
    ['none if it is empty', 'https://a.test/', {}, { HTTPS_PROXY: '', https_proxy: '' }, undefined],
    ['none if nothing is said', 'https://a.test/', {}, {}, undefined],
    ['that the caller names', 'https://a.test/', { proxy: 'http://mine:5' }, environment, 'http://mine:5/'],
    ['without a scheme', 'https://a.test/', { proxy: 'mine:5' }, environment, 'http://mine:5/'],
    ['by https', 'https://a.test/', { proxy: new URL('https://mine') }, environment, 'https://mine/'],
    ['none if the caller wants none', 'https://a.test/', { proxy: false }, environment, undefined],
    // A CGI program gets the request's Proxy header under this name: CVE-2016-5385.
    ['not of a request', 'http://a.test/', {}, { HTTP_PROXY: 'http://evil', REQUEST_METHOD: 'GET' }, undefined],
  ])('is one %s: %s', (_name, url, options, variables, proxy) => {
    expect(proxyOf(url, options, variables)).toBe(proxy);
  });

  test('with an unsupported protocol is refused, without showing its password', () => {
    const choose = (): unknown => proxyChoice({ proxy: 'socks5://user:secret@mine' }, {});
    expect(choose).toThrow('socks5:');
    expect(choose).not.toThrow('secret');
  });

  test.each(['socks5://user:secret@mine', 'socks5h://user:secret@mine:1080', 'http://', '%% user:secret@'])(
    'of the environment (%s) is refused when a request would use it, by the name of the variable',
    (value) => {
      for (const name of ['ALL_PROXY', 'https_proxy', 'HTTPS_PROXY']) {
        const choose = proxyChoice({ noProxy: 'direct.test' }, { [name]: value });
        expect(choose(new URL('https://direct.test/'))).toBeUndefined();
        expect(choose(new URL('http://127.0.0.1/'))).toBeUndefined();
        const use = (): unknown => choose(new URL('https://a.test/'));
        expect(use).toThrow(name);
        expect(use).not.toThrow('secret');
      }
    },
  );

  test.each(['', ' ', '\t'])('is none if its variable is %j', (value) => {
    const variables = { ALL_PROXY: value, HTTP_PROXY: value, HTTPS_PROXY: value, NO_PROXY: value };
    expect(proxyOf('https://a.test/', {}, variables)).toBeUndefined();
    expect(proxyOf('http://a.test/', {}, { ...variables, all_proxy: 'http://all:3' })).toBe('http://all:3/');
  });
});

describe('NO_PROXY', () => {
  const direct = undefined;
  const proxied = 'http://mine/';
  test.each<[string, string, string | undefined]>([
    ['example.com', 'https://example.com/', direct],
    ['example.com', 'https://a.example.com/', direct],
    ['EXAMPLE.com', 'https://a.Example.COM/', direct],
    ['example.com', 'https://badexample.com/', proxied],
    ['example.com', 'https://example.com.evil.test/', proxied],
    ['.example.com', 'https://a.example.com/', direct],
    ['.example.com', 'https://example.com/', proxied],
    ['*.example.com', 'https://a.b.example.com/', direct],
    ['*', 'https://example.com/', direct],
    ['a.test, example.com', 'https://example.com/', direct],
    ['a.test example.com', 'https://example.com/', direct],
    ['', 'https://example.com/', proxied],
    [',', 'https://example.com/', proxied],
    ['example.com:8443', 'https://example.com:8443/', direct],
    ['example.com:8443', 'https://example.com/', proxied],
    ['example.com:443', 'https://example.com/', direct],
    ['example.com:80', 'http://example.com/', direct],
    ['10.1.2.3', 'https://10.1.2.3/', direct],
    ['10.1.2.3', 'https://210.1.2.3/', proxied],
    ['10.0.0.0/8', 'https://10.1.2.3/', direct],
    ['10.0.0.0/8', 'https://11.1.2.3/', proxied],
    ['10.0.0.0/99', 'https://10.1.2.3/', proxied],
    ['10.0.0.0/8', 'https://10.example.com/', proxied],
    ['2001:db8::1', 'https://[2001:db8::1]/', direct],
    ['[2001:db8::1]:5000', 'https://[2001:db8::1]:5000/', direct],
    ['[2001:db8::1]:5000', 'https://[2001:db8::1]/', proxied],
    ['2001:db8::/32', 'https://[2001:db8:1::2]/', direct],
    ['2001:db8::/32', 'https://[2001:db9::]/', proxied],
    // This machine is not behind a proxy, whatever the list says.
    ['', 'http://localhost:5000/', direct],
    ['', 'http://127.0.0.2:5000/', direct],
    ['', 'http://[::1]:5000/', direct],
    ['', 'http://a.localhost/', direct],
    ['', 'http://127.example.com/', proxied],
  ])('%j: %s goes to %s', (noProxy, url, proxy) => {
    expect(proxyOf(url, { proxy: 'http://mine', noProxy })).toBe(proxy);
    expect(proxyOf(url, {}, { ALL_PROXY: 'http://mine', NO_PROXY: noProxy })).toBe(proxy);
  });
});
