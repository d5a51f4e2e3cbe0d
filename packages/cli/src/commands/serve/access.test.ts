import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { testCertificate } from 'ocikit/testing';
import { describe, expect, test } from 'vitest';

import { run, start, startServing, temporaryDirectory } from '../../../test/run-command.ts';
import type { Outcome } from '../../../test/run-command.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const basic = (user: string, password: string): Record<string, string> => ({
  authorization: `Basic ${btoa(`${user}:${password}`)}`,
});

function push(url: string, name: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/v2/${name}/manifests/v1`, {
    method: 'PUT',
    headers: { 'content-type': index, ...headers },
    body: JSON.stringify({ schemaVersion: 2, mediaType: index, manifests: [] }),
  });
}

async function runWith(input: string, args: readonly string[], cwd: string): Promise<Outcome> {
  const { child, outcome } = await start(args, { cwd });
  child.stdin.end(input);
  return outcome;
}

describe('ocikit serve --htpasswd', () => {
  test('lets users push and everybody pull, and takes changes of the file', async () => {
    const cwd = await temporaryDirectory();
    const made = await runWith('secret\n', ['htpasswd', 'users', 'alice', '--password-stdin'], cwd);
    expect(made).toMatchObject({ code: 0, stdout: '' });
    const { url, log } = await startServing(['--htpasswd', 'users', '--anonymous', 'pull'], { cwd });
    const refused = await push(url, 'app');
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer realm="http:.*\/token",service="ocikit",scope=/);
    expect((await push(url, 'app', basic('alice', 'wrong'))).status).toBe(401);
    expect((await push(url, 'app', basic('alice', 'secret'))).status).toBe(201);
    expect((await push(url, 'app', basic('alice', 'secret'))).status).toBe(201);
    expect((await fetch(`${url}/v2/app/manifests/v1`)).status).toBe(200);
    expect(log()).toMatch(/ allowed action=push user=alice address=127\.0\.0\.1 repository=app rule=rules\[0\] /);
    await runWith('other', ['htpasswd', 'users', 'alice', '--password-stdin'], cwd);
    await expect
      .poll(async () => (await push(url, 'app', basic('alice', 'other'))).status, { timeout: 30_000 })
      .toBe(201);
    expect((await push(url, 'app', basic('alice', 'secret'))).status).toBe(401);
    expect((await run(['htpasswd', 'users', 'alice', '--delete'], { cwd })).code).toBe(0);
    await expect
      .poll(async () => (await push(url, 'app', basic('alice', 'other'))).status, { timeout: 30_000 })
      .toBe(401);
  });

  test('keeps its keys, so that a token outlives a restart', async () => {
    const cwd = await temporaryDirectory();
    await runWith('secret', ['htpasswd', 'users', 'alice', '--password-stdin'], cwd);
    const first = await startServing(['--htpasswd', 'users'], { cwd });
    const issued = await fetch(`${first.url}/token`, { headers: basic('alice', 'secret') });
    const { token } = (await issued.json()) as { token: string };
    first.child.kill('SIGTERM');
    await first.outcome;
    const second = await startServing(['--htpasswd', 'users'], { cwd });
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${second.url}/v2/`, { headers })).status).toBe(200);
  });

  test('obeys the rules of --access, and keeps them when the file becomes faulty', async () => {
    const cwd = await temporaryDirectory();
    await runWith('secret', ['htpasswd', 'users', 'alice', '--password-stdin'], cwd);
    const rules = join(cwd, 'access.json');
    const allow = (repositories: string): string =>
      JSON.stringify({ rules: [{ allow: 'push', repositories, subjects: { user: 'alice' } }] });
    await writeFile(rules, allow('team/**'));
    const { url, child, log } = await startServing(['--htpasswd', 'users', '--access', 'access.json'], { cwd });
    const statusOf = async (name: string): Promise<number> => (await push(url, name, basic('alice', 'secret'))).status;
    expect([await statusOf('team/app'), await statusOf('other/app')]).toEqual([201, 403]);
    await writeFile(rules, '{"rules": [');
    child.kill('SIGHUP');
    await expect.poll(log, { timeout: 30_000 }).toMatch(/access\.json is not used/);
    expect(await statusOf('team/app')).toBe(201);
    await writeFile(rules, allow('other/**'));
    await expect.poll(() => statusOf('other/app'), { timeout: 30_000 }).toBe(201);
    expect(await statusOf('team/app')).toBe(403);
  });

  test.each([
    [['--htpasswd', 'none'], /none does not exist: make it with: ocikit htpasswd none USER/],
    [['--htpasswd', 'plain'], /plain.*line 1/s],
    [['--anonymous', 'pull', '--access', 'faulty.json'], /faulty\.json: rules\[0\]\.alow: .*did you mean allow\?/],
    [['--anonymous', 'pull', '--access', 'plain'], /plain: the rules are no JSON/],
    [['--tls-cert', 'none', '--tls-key', 'none'], /ENOENT.*none/],
  ])('does not start with %j', async (args, message) => {
    const cwd = await temporaryDirectory();
    await writeFile(join(cwd, 'plain'), 'alice:secret\n');
    await writeFile(join(cwd, 'faulty.json'), '{"rules": [{"alow": "pull"}]}');
    const { code, stderr } = await run(['serve', '--port', '0', ...args], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(stderr).not.toContain('secret');
  });
});

test('ocikit serve with a certificate speaks TLS, and takes the next one', async () => {
  const cwd = await temporaryDirectory();
  const write = async (): Promise<string> => {
    const { cert, key } = await testCertificate(['127.0.0.1']);
    await Promise.all([writeFile(join(cwd, 'key.pem'), key), writeFile(join(cwd, 'cert.pem'), cert)]);
    return cert;
  };
  const first = await write();
  const { child, log } = await start(
    ['serve', '--port', '0', '--memory', '--tls-cert', 'cert.pem', '--tls-key', 'key.pem'],
    { cwd },
  );
  let said = '';
  child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
  await expect.poll(() => said, { timeout: 30_000 }).toMatch(/listening on https:/);
  const url = /https:\S+/.exec(said)?.[0] ?? '';
  const { nodeFetch } = await import('ocikit/node');
  const isTrusted = (ca: string): Promise<boolean> =>
    nodeFetch({ ca })(`${url}/v2/`).then(
      () => true,
      () => false,
    );
  expect(await isTrusted(first)).toBe(true);
  const second = await write();
  await expect.poll(() => isTrusted(second), { timeout: 30_000, interval: 200 }).toBe(true);
  expect(log()).not.toContain('-----BEGIN');
});

test('ocikit token makes tokens that log in, and revokes them', async () => {
  const cwd = await temporaryDirectory();
  const created = await run(
    ['token', 'create', 'robots.json', 'ci', '--scope', 'repository:team/**:push', '--expires', '90d'],
    { cwd },
  );
  expect(created).toMatchObject({ code: 0, stderr: expect.stringContaining('ci') as string });
  const token = created.stdout.trim();
  expect(await readFile(join(cwd, 'robots.json'), 'utf8')).not.toContain(token);
  const { url, log, child } = await startServing(['--robots', 'robots.json'], { cwd });
  expect((await push(url, 'team/app', basic('ci', token))).status).toBe(201);
  expect((await push(url, 'other/app', basic('ci', token))).status).toBe(403);
  const listed = await run(['token', 'list', 'robots.json', '--json'], { cwd });
  const robot = JSON.parse(listed.stdout) as { id: string };
  expect(robot).toMatchObject({ user: 'ci', scopes: 'repository:team/**:pull,push', state: 'valid' });
  expect((await run(['token', 'revoke', 'robots.json', robot.id], { cwd })).code).toBe(0);
  await expect
    .poll(async () => (await push(url, 'team/app', basic('ci', token))).status, { timeout: 30_000 })
    .toBe(401);
  expect(log()).not.toContain(token);
  await writeFile(join(cwd, 'robots.json'), '{"version": 1, ');
  child.kill('SIGHUP');
  await expect.poll(log, { timeout: 30_000 }).toMatch(/robots\.json cannot be used: .*no JSON/);
  expect((await fetch(`${url}/v2/`)).status).toBe(401);
  await writeFile(join(cwd, 'robots.json'), '{"version": 1, "robots": []}');
  const again = await run(['token', 'revoke', 'robots.json', robot.id], { cwd });
  expect([again.code, again.stderr]).toEqual([1, expect.stringContaining('ocikit token list robots.json')]);
});

test('ocikit serve without files to read again ends with its terminal', async () => {
  const { child, outcome } = await startServing(['--memory']);
  child.kill('SIGHUP');
  await outcome;
  expect(child.signalCode).toBe('SIGHUP');
});

test.each([
  [['serve', '--tls-cert', 'x'], /--tls-cert and --tls-key belong together/],
  [['serve', '--tls-client-ca', 'x'], /--tls-client-ca has no effect without --tls-cert/],
  [['serve', '--token-keys', 'x'], /--token-keys has no effect without --htpasswd/],
  [['serve', '--public-url', 'registry.example'], /A public URL has no path/],
  [['serve', '--anonymous', 'push'], /Allowed choices are none, pull/],
  [['token', 'create', 'x', 'ci', '--expires', '0'], /longer than 0/],
  [['htpasswd', 'x', 'a', '--delete', '--password-stdin'], /leave out --password-stdin/],
])('ocikit %j is wrong usage', async (args, message) => {
  const { code, stderr } = await run(args);
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});

test.each([
  [['htpasswd', 'users', 'a:b', '--password-stdin'], 'secret', /has no colon/],
  [['htpasswd', 'users', 'alice', '--password-stdin'], '', /stdin has no password/],
  [['htpasswd', 'users', 'alice', '--password-stdin'], 'x'.repeat(73), /at most 72/],
  [['htpasswd', 'users', 'alice'], '', /use --password-stdin/],
  [['htpasswd', 'users', 'alice', '--delete'], '', /users has no user "alice"/],
  [['token', 'create', 'robots', 'ci', '--scope', 'team'], '', /is no scope/],
])('ocikit %j fails', async (args, input, message) => {
  const { code, stderr } = await runWith(input, args, await temporaryDirectory());
  expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
});
