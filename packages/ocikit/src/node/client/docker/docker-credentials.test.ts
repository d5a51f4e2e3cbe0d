import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import type { Credential } from '../../../http/client/index.ts';

import { shown } from '../../../../test/ask.ts';
import { failureOf } from '../../../../test/failure-of.ts';
import { temporaryDirectory } from '../../../../test/temporary-directory.ts';

import { dockerCredentials } from './docker-credentials.ts';

let root: string;
let env: Record<string, string>;

beforeEach(async () => {
  root = await temporaryDirectory();
  await mkdir(join(root, 'bin'));
  env = { HOME: root, PATH: `${join(root, 'bin')}:/usr/bin:/bin` };
});

afterEach(() => {
  vi.useRealTimers();
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const auth = (text: string): { auth: string } => ({ auth: base64(text) });
const alice = { username: 'alice', password: 'hunter2' };

async function write(path: string, content: unknown): Promise<void> {
  const file = join(root, path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
}

const home = '.docker/config.json';

/** A program that is a credential helper. Its input is noted in a file. */
async function helper(name: string, script: string, interpreter = '/bin/sh'): Promise<void> {
  const path = join(root, 'bin', `docker-credential-${name}`);
  const noting = interpreter === '/bin/sh' ? `server=$(cat); echo "$1 $server" >> '${root}/asked'\n` : '';
  await writeFile(path, `#!${interpreter}\n${noting}${script}\n`);
  await chmod(path, 0o755);
}

async function asked(): Promise<string[]> {
  return (await readFile(join(root, 'asked'), 'utf8')).trimEnd().split('\n');
}

const says = (username: string, secret: string): string =>
  `echo '${JSON.stringify({ ServerURL: 'x', Username: username, Secret: secret })}'`;
const knowsNothing = 'echo "credentials not found in native keychain"; exit 1';

function find(host: string, repository?: string): Promise<Credential | undefined> {
  return Promise.resolve(dockerCredentials({ env })(host, repository));
}

describe('where credentials are looked for', () => {
  test('no place has to exist', async () => {
    expect(await find('example.com')).toBeUndefined();
    env = {};
    expect(await find('example.com')).toBeUndefined();
  });

  test('in this process’s own environment, if no other is given', async () => {
    await write('config.json', { auths: { 'example.com': auth('alice:hunter2') } });
    vi.stubEnv('DOCKER_CONFIG', root);
    try {
      expect(await dockerCredentials()('example.com')).toStrictEqual(alice);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test.each<[string, () => void]>([
    [home, () => undefined],
    ['other/config.json', () => (env['DOCKER_CONFIG'] = join(root, 'other'))],
    ['podman.json', () => (env['REGISTRY_AUTH_FILE'] = join(root, 'podman.json'))],
    ['run/containers/auth.json', () => (env['XDG_RUNTIME_DIR'] = join(root, 'run'))],
    ['.config/containers/auth.json', () => undefined],
    ['xdg/containers/auth.json', () => (env['XDG_CONFIG_HOME'] = join(root, 'xdg'))],
  ])('in %s', async (path, set) => {
    await write(path, { auths: { 'example.com': auth('alice:hunter2') } });
    set();
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('each place comes before the next, for each host by itself', async () => {
    const only =
      (...hosts: string[]) =>
      (user: string) => ({
        auths: Object.fromEntries(hosts.map((host) => [host, auth(`${user}:x`)])),
      });
    env['DOCKER_AUTH_CONFIG'] = JSON.stringify(only('a')('inline'));
    await write('docker/config.json', only('a', 'b')('docker'));
    env['DOCKER_CONFIG'] = join(root, 'docker');
    await write('podman.json', only('a', 'b', 'c')('podman'));
    env['REGISTRY_AUTH_FILE'] = join(root, 'podman.json');
    await write('run/containers/auth.json', only('a', 'b', 'c', 'd')('run'));
    env['XDG_RUNTIME_DIR'] = join(root, 'run');
    const users = ['a', 'b', 'c', 'd', 'e'].map(
      async (host) => (await find(host)) as { username?: string } | undefined,
    );
    expect((await Promise.all(users)).map((one) => one?.username)).toStrictEqual([
      'inline',
      'docker',
      'podman',
      'run',
      undefined,
    ]);
  });

  test('not in the home directory if DOCKER_CONFIG names a directory, even one that does not exist', async () => {
    await write(home, { auths: { 'example.com': auth('alice:hunter2') } });
    env['DOCKER_CONFIG'] = join(root, 'nowhere');
    expect(await find('example.com')).toBeUndefined();
  });

  test('again for each call, so that a login is seen', async () => {
    const credentials = dockerCredentials({ env });
    expect(await credentials('example.com')).toBeUndefined();
    await write(home, { auths: { 'example.com': auth('alice:hunter2') } });
    expect(await credentials('example.com')).toStrictEqual(alice);
  });

  test.each([
    '{"auths":{"example.com":{"auth":"aHVudGVyMg=="',
    '["hunter2"]',
    '"hunter2"',
    '{"auths":["hunter2"]}',
    '{"auths":{"example.com":"hunter2"}}',
    '{"auths":{"example.com":{"auth":["hunter2"]}}}',
    '{"auths":{},"credsStore":{"hunter2":1}}',
    '{"auths":{},"credHelpers":{"example.com":["hunter2"]}}',
  ])('a file such as %s is malformed: the error names the file, and does not show its content', async (content) => {
    await write(home, content);
    const error = await failureOf(find('example.com'));
    expect(String(error)).toContain(join(root, home));
    expect(shown(error)).not.toMatch(/hunter2|aHVudGVyMg/);
  });

  test('a variable that is malformed is an error, and its content is not shown', async () => {
    env['DOCKER_AUTH_CONFIG'] = 'hunter2';
    const error = await failureOf(find('example.com'));
    expect(String(error)).toBe('Error: DOCKER_AUTH_CONFIG is not JSON: correct or remove it');
    expect(shown(error)).not.toContain('hunter2');
  });

  test('a file that cannot be read is an error', async () => {
    await mkdir(join(root, home), { recursive: true });
    expect(await failureOf(find('example.com'))).toMatchObject({ code: 'EISDIR' });
  });

  test.each<[string, unknown]>([
    ['a file that is not JSON', '{'],
    ['a file of another kind', []],
    ['a malformed entry', { auths: { 'example.com': { auth: 7 } } }],
    [
      'two entries that contradict each other',
      { auths: { 'https://example.com': auth('a:b'), 'http://example.com': auth('c:d') } },
    ],
    ['a helper that fails', { credsStore: 'broken' }],
  ])('%s is passed over if a later place has credentials, and else is an error', async (_, content) => {
    await helper('broken', 'echo locked; exit 1');
    await write(home, content);
    expect(await failureOf(find('example.com'))).toBeInstanceOf(Error);
    await write('.config/containers/auth.json', { auths: { 'example.com': auth('alice:hunter2') } });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('a file in UTF-16, as Windows may write it, is read', async () => {
    const text = `\ufeff${JSON.stringify({ auths: { 'example.com': auth('alice:hunter2') } })}`;
    await mkdir(join(root, '.docker'));
    await writeFile(join(root, home), Buffer.from(text, 'utf16le'));
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('a file may lack all of the fields', async () => {
    await write(home, { auths: null, credHelpers: null, credsStore: '', HttpHeaders: {} });
    expect(await find('example.com')).toBeUndefined();
  });
});

describe('an entry', () => {
  test.each<[string, object, Credential | undefined]>([
    ['user and password in base64', auth('alice:hunter2'), alice],
    ['a password with colons in it', auth('alice:a:b:'), { username: 'alice', password: 'a:b:' }],
    ['a password that is padded', auth('alice:hunter2\0\0'), alice],
    ['no password', auth('alice:'), { username: 'alice', password: '' }],
    ['base64 without its padding', { auth: 'YWxpY2U6aHVudGVyMg' }, alice],
    ['letters of all languages', auth('ålice:pä'), { username: 'ålice', password: 'pä' }],
    ['user and password', { username: 'alice', password: 'hunter2' }, alice],
    ['both: base64 counts', { ...auth('alice:hunter2'), username: 'bob', password: 'x' }, alice],
    ['an identity token', { identitytoken: 'i' }, { refreshToken: 'i', username: undefined }],
    [
      'an identity token and a user, as Azure has it',
      { ...auth('0000:'), identitytoken: 'i' },
      { refreshToken: 'i', username: '0000' },
    ],
    ['a registry token', { ...auth('alice:hunter2'), registrytoken: 'r' }, { accessToken: 'r' }],
    ['texts that are empty', { auth: '', identitytoken: '', username: '' }, undefined],
    ['nothing', {}, undefined],
  ])('may have %s', async (_, entry, credential) => {
    await write(home, { auths: { 'example.com': entry } });
    expect(await find('example.com')).toStrictEqual(credential);
  });

  test.each(['hunter2!', base64('hunter2'), base64(':hunter2'), 'aHVu dGVyMg=='])(
    'of %j is malformed: the error names it without showing it, and other hosts are not affected',
    async (text) => {
      await write(home, { auths: { 'example.com': { auth: text }, 'example.org': auth('alice:hunter2') } });
      const error = await failureOf(find('example.com'));
      expect(String(error)).toContain('example.com');
      for (const secret of ['hunter2', text]) expect(shown(error)).not.toContain(secret);
      expect(await find('example.org')).toStrictEqual(alice);
    },
  );

  test.each([
    ['example.com', 'example.com'],
    ['Example.COM', 'example.com'],
    ['https://example.com', 'example.com'],
    ['http://example.com/', 'example.com'],
    ['https://example.com/v1/', 'example.com'],
    ['https://example.com/v2/', 'example.com'],
    ['https://example.com/any/path', 'example.com'],
    ['//example.com', 'example.com'],
    ['example.com/', 'example.com'],
    ['example.com/v1/', 'example.com'],
    ['example.com/v2', 'example.com'],
    ['https://example.com:5000/v2/', 'example.com:5000'],
    ['example.com:443', 'example.com'],
    ['[::1]:5000', '[::1]:5000'],
    ['localhost:5000', 'localhost:5000'],
  ])('for %s applies to %s', async (key, host) => {
    await write(home, { auths: { [key]: auth('alice:hunter2') } });
    expect(await find(host)).toStrictEqual(alice);
    expect(await find(host, 'any/repository')).toStrictEqual(alice);
    expect(await find(`x${host}`)).toBeUndefined();
    expect(await find(`${host.replace(/:5000$/, '')}:5001`)).toBeUndefined();
  });

  test.each([
    ['a/b/c', 'c'],
    ['a/b/d', 'b'],
    ['a/b', 'b'],
    ['a/bb', 'host'],
    ['a', 'host'],
    [undefined, 'host'],
  ])('for a path of a registry applies to the repositories below it: %s', async (repository, user) => {
    await write('.config/containers/auth.json', {
      auths: {
        'example.com': auth('host:x'),
        'example.com/a/b': auth('b:x'),
        'example.com/a/b/c': auth('c:x'),
        'example.com/a/b/c/d': auth('d:x'),
      },
    });
    expect(await find('example.com', repository)).toMatchObject({ username: user });
  });

  test('for a path of a registry applies to nothing else there', async () => {
    await write(home, { auths: { 'example.com/a': auth('alice:hunter2') } });
    expect(await find('example.com', 'b')).toBeUndefined();
    expect(await find('example.com')).toBeUndefined();
  });

  test('for the host itself comes before one for a URL', async () => {
    await write(home, {
      auths: { 'https://example.com/v1/': auth('url:x'), 'example.com': auth('alice:hunter2') },
    });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('for one URL of a host that differs from one for another URL is an error that names both, for that host only', async () => {
    await write(home, {
      auths: {
        'https://example.com/v2/': auth('one:x'),
        'http://example.com': auth('other:y'),
        'example.org': auth('alice:hunter2'),
      },
    });
    const error = await failureOf(find('example.com'));
    expect(String(error)).toContain('http://example.com, https://example.com/v2/');
    expect(await find('example.org')).toStrictEqual(alice);
  });

  test('for two URLs of a host is no error if both are the same, or one is empty', async () => {
    await write(home, {
      auths: {
        'https://example.com/v1/': auth('alice:hunter2'),
        'https://example.com/v2/': auth('alice:hunter2'),
        'https://example.com': {},
      },
    });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test.each([
    'https://index.docker.io/v1/',
    'docker.io',
    'index.docker.io',
    'registry-1.docker.io',
    'registry.hub.docker.com',
  ])('for %s applies to Docker Hub by any of its names', async (key) => {
    await write(home, { auths: { [key]: auth('alice:hunter2') } });
    for (const host of ['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']) {
      expect(await find(host)).toStrictEqual(alice);
    }
    expect(await find('evil-docker.io')).toBeUndefined();
  });

  test('for the requested name of Docker Hub comes first', async () => {
    await write(home, {
      auths: {
        'docker.io': auth('bob:x'),
        'registry-1.docker.io': auth('alice:hunter2'),
        'docker.io/library': auth('library:x'),
      },
    });
    expect(await find('registry-1.docker.io')).toStrictEqual(alice);
    expect(await find('index.docker.io')).toMatchObject({ username: 'bob' });
    expect(await find('docker.io', 'library/alpine')).toMatchObject({ username: 'library' });
  });
});

describe('a credential helper', () => {
  test('is asked for a host, by its unchanged name, and comes before the entries of the file', async () => {
    await helper('mine', says('alice', 'hunter2'));
    await write(home, { credHelpers: { 'example.com': 'mine' }, auths: { 'example.com': auth('bob:x') } });
    expect(await find('example.com', 'a/b')).toStrictEqual(alice);
    expect(await asked()).toStrictEqual(['get example.com']);
  });

  test('of a host comes before the helper of all hosts', async () => {
    await helper('mine', says('alice', 'hunter2'));
    await helper('all', says('all', 'x'));
    await write(home, { credHelpers: { 'https://example.com': 'mine' }, credsStore: 'all' });
    expect(await find('example.com')).toStrictEqual(alice);
    expect(await find('example.org')).toStrictEqual({ username: 'all', password: 'x' });
  });

  test('can be switched off for a host', async () => {
    await helper('all', says('all', 'x'));
    await write(home, {
      credHelpers: { 'example.com': '' },
      credsStore: 'all',
      auths: { 'example.com': auth('alice:hunter2') },
    });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('gives a refresh token for the user <token>', async () => {
    await helper('mine', says('<token>', 'refresh'));
    await write(home, { credsStore: 'mine' });
    expect(await find('example.com')).toStrictEqual({ refreshToken: 'refresh' });
  });

  test.each([knowsNothing, 'echo "credentials not found in native keychain" >&2; exit 1', says('', '')])(
    'that has no credential is followed by the entries of the file: %s',
    async (script) => {
      await helper('mine', script);
      await write(home, { credsStore: 'mine', auths: { 'example.com': auth('alice:hunter2') } });
      expect(await find('example.com')).toStrictEqual(alice);
      expect(await find('example.org')).toBeUndefined();
    },
  );

  test('that has no credential is followed by the next file', async () => {
    await helper('mine', knowsNothing);
    await write(home, { credsStore: 'mine' });
    await write('.config/containers/auth.json', { auths: { 'example.com': auth('alice:hunter2') } });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('of all hosts that is not installed is followed by the entries of the file', async () => {
    await write(home, { credsStore: 'missing', auths: { 'example.com': auth('alice:hunter2') } });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('of a host that is not installed is an error', async () => {
    await write(home, { credHelpers: { 'example.com': 'missing' }, auths: { 'example.com': auth('alice:hunter2') } });
    expect(String(await failureOf(find('example.com')))).toMatch(
      /config\.json names docker-credential-missing for example\.com, but this program is not installed/,
    );
    expect(await find('example.org')).toBeUndefined();
  });

  test('whose interpreter is missing is an error, also if it is the helper of all hosts', async () => {
    await helper('broken', '', '/no/such/interpreter');
    await write(home, { credsStore: 'broken', auths: { 'example.com': auth('alice:hunter2') } });
    expect(String(await failureOf(find('example.com')))).toContain('interpreter');
  });

  test('that is not executable is an error', async () => {
    await helper('mine', says('alice', 'hunter2'));
    await chmod(join(root, 'bin', 'docker-credential-mine'), 0o644);
    await write(home, { credsStore: 'mine' });
    expect(await failureOf(find('example.com'))).toMatchObject({ code: 'EACCES' });
  });

  test('that fails is an error that says why, and the next call runs it again', async () => {
    await helper(
      'mine',
      `[ -e '${root}/unlocked' ] || { echo "the keychain is locked" >&2; exit 3; }; ${says('alice', 'hunter2')}`,
    );
    await write(home, { credsStore: 'mine', auths: { 'example.com': auth('bob:x') } });
    const credentials = dockerCredentials({ env });
    const error = await failureOf(Promise.resolve(credentials('example.com')));
    expect(String(error)).toBe('Error: docker-credential-mine failed for example.com: the keychain is locked');
    await write('unlocked', '');
    expect(await credentials('example.com')).toStrictEqual(alice);
  });

  test.each([
    `${says('alice', 'hunter2')}; exit 1`,
    `set -x; ${says('alice', 'hunter2')}; exit 1`,
    'echo "password: hunter2" >&2; exit 1',
    'echo "SECRET=hunter2"; exit 1',
    'echo "alice hunter2"',
    `echo '["hunter2"'`,
    `echo '{"Username":"hunter2","Secret":7}'`,
    'exit 0',
    'kill -9 $$',
  ])('that ends with `%s` gives an error that shows no secret', async (script) => {
    await helper('mine', script);
    await write(home, { credsStore: 'mine' });
    const error = await failureOf(find('example.com'));
    expect(String(error)).toContain('docker-credential-mine');
    expect(shown(error)).not.toContain('hunter2');
  });

  test('may print warnings to stderr', async () => {
    await helper('mine', `echo 'warning: {"Username":"eve"}' >&2; ${says('alice', 'hunter2')}`);
    await write(home, { credsStore: 'mine' });
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('need not read its input, however long that is', async () => {
    await helper(
      'mine',
      `process.stdin.destroy(); console.log('{"Username":"alice","Secret":"hunter2"}')`,
      process.execPath,
    );
    await write(home, { credsStore: 'mine' });
    expect(await find('x'.repeat(500_000))).toStrictEqual(alice);
  });

  test('gets the given environment, and no other', async () => {
    vi.stubEnv('OCIKIT_TEST_SECRET', 'outside');
    try {
      await helper('mine', `echo "{\\"Username\\":\\"$AWS_PROFILE\\",\\"Secret\\":\\"[$OCIKIT_TEST_SECRET]\\"}"`);
      env['AWS_PROFILE'] = 'work';
      await write(home, { credsStore: 'mine' });
      expect(await find('example.com')).toStrictEqual({ username: 'work', password: '[]' });
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('that takes too long is killed, even if its child processes hold its output open', async () => {
    const pidFile = join(root, 'pid');
    await helper('mine', `sleep 1000 & echo $! > '${pidFile}'; wait`);
    await write(home, { credsStore: 'mine' });
    const error = await failureOf(Promise.resolve(dockerCredentials({ env, helperTimeout: 1000 })('example.com')));
    expect(String(error)).toBe('Error: docker-credential-mine did not answer within 1000 ms');
    const child = Number(await readFile(pidFile, 'utf8'));
    // It was not waited for.
    expect(process.kill(child, 0)).toBe(true);
    process.kill(child, 'SIGKILL');
  });

  test('that prints without end is killed', async () => {
    await helper('mine', 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done');
    await write(home, { credsStore: 'mine' });
    expect(String(await failureOf(find('example.com')))).toContain('printed more than');
  });

  test.each(['../../evil', 'a/b', 'a b', '', '.\0'])('cannot be a program in another directory: %j', async (name) => {
    await write(home, { credHelpers: { 'example.com': `x${name}/` } });
    expect(String(await failureOf(find('example.com')))).toContain('is not the name of a credential helper');
  });

  test('is asked for Docker Hub by the URL that docker login stores, and then by its names', async () => {
    await helper(
      'mine',
      `[ "$server" = https://index.docker.io/v1/ ] && ${says('alice', 'hunter2')} && exit; ${knowsNothing}`,
    );
    await write(home, { credsStore: 'mine' });
    expect(await find('registry-1.docker.io')).toStrictEqual(alice);
    expect(await asked()).toStrictEqual(['get https://index.docker.io/v1/']);
  });

  test('is asked for Docker Hub by each of its names', async () => {
    await helper('mine', knowsNothing);
    await write(home, { credHelpers: { 'docker.io': 'mine' } });
    expect(await find('registry-1.docker.io')).toBeUndefined();
    expect(await asked()).toStrictEqual(
      [
        'https://index.docker.io/v1/',
        'registry-1.docker.io',
        'docker.io',
        'index.docker.io',
        'registry.hub.docker.com',
      ].map((server) => `get ${server}`),
    );
  });

  test('is asked by a URL as well, if the file has a URL of the host', async () => {
    await helper(
      'mine',
      `[ "$server" = https://example.com/v1/ ] && ${says('alice', 'hunter2')} && exit; ${knowsNothing}`,
    );
    await write(home, { credsStore: 'mine', auths: { 'https://example.com/v1/': {}, 'https://example.org': {} } });
    expect(await find('example.com')).toStrictEqual(alice);
    expect(await asked()).toStrictEqual(['get example.com', 'get https://example.com/v1/']);
  });

  test('is asked once for a host, however many calls need it, and again after 30 seconds', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await helper('mine', says('alice', 'hunter2'));
    await write(home, { credsStore: 'mine' });
    const credentials = dockerCredentials({ env });
    const all = ['a', 'b', 'c'].map(async (repository) => credentials('example.com', repository));
    expect(await Promise.all(all)).toStrictEqual([alice, alice, alice]);
    await credentials('example.com');
    expect(await asked()).toHaveLength(1);
    vi.advanceTimersByTime(30_000);
    await credentials('example.com');
    expect(await asked()).toHaveLength(2);
  });
});

describe('what docker reads', () => {
  const wrapped = base64(`alice:${'x'.repeat(100)}`).replaceAll(/.{76}/g, '$&\n');

  test.each(['\n', '\r\n', ' '])('as base64 in lines is read, with %j between them', async (separator) => {
    await write(home, { auths: { 'example.com': { auth: wrapped.replaceAll('\n', separator) } } });
    expect(await find('example.com')).toStrictEqual({ username: 'alice', password: 'x'.repeat(100) });
  });

  test.each(['', '\n', '\ufeff', '\ufeff{}'])('as a file (%j) without entries is read', async (text) => {
    await write(home, text);
    expect(await find('example.com')).toBeUndefined();
  });

  test('behind a byte order mark is read', async () => {
    await write(home, `\ufeff${JSON.stringify({ auths: { 'example.com': auth('alice:hunter2') } })}`);
    expect(await find('example.com')).toStrictEqual(alice);
  });

  test('as nobody is read', async () => {
    await write(home, { auths: { 'example.com': auth(':') } });
    expect(await find('example.com')).toBeUndefined();
  });

  test.each<[string, unknown]>([
    ['auths', { 'other.test': 7, 'example.com': auth('alice:hunter2') }],
    ['auths', { 'other.test': { auth: 7 }, 'example.com': auth('alice:hunter2') }],
    ['auths', { 'other.test': { auth: '@@' }, 'example.com': auth('alice:hunter2') }],
  ])('for one host is read beside the broken %s of another (%j)', async (field, entries) => {
    await write(home, { [field]: entries, credHelpers: { 'other.test': 7 } });
    expect(await find('example.com')).toStrictEqual(alice);
    expect(String(await failureOf(find('other.test')))).toMatch(/other\.test/);
  });

  test.each(['no credentials server URL', 'no credentials username', 'credentials not found in native keychain'])(
    'of a helper that says %j is that it has none',
    async (text) => {
      await helper('mine', `echo '${text}'; exit 1`);
      await write(home, { credsStore: 'mine' });
      expect(await find('example.com')).toBeUndefined();
    },
  );
});
