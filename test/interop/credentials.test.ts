import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

import type { Registry } from 'ocikit';
import { createClient } from 'ocikit/client';
import { dockerCredentials, nodeFetch } from 'ocikit/node';
import { imageOf, pushContent } from 'ocikit/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Client } from './client.ts';
import { describeWith } from './clients.ts';
import { useDocker } from './docker.ts';
import { usePodman } from './podman.ts';
import { useDistribution } from './registries.ts';
import { run } from './run.ts';
import { useScratch } from './scratch.ts';
import { useSkopeo } from './skopeo.ts';

// Credentials that `login` of other clients stores, in a file or a credential helper, work for our client.

const fetch = nodeFetch();
afterAll(() => fetch.close());

const password = 'a secret: äöü';
/** Output of `htpasswd -nbBC 4`. */
const htpasswd = 'alice:$2y$04$yUvHq7DiLEeOAWQNca.Y9OMnVsaH369a76rfbFRNT6W32KT9LdJkm\n';

type Environment = Readonly<Record<string, string>>;

describeWith(['docker-registry'], "Debian's docker-registry with htpasswd", () => {
  const registry = useDistribution('docker-registry', () => ({ htpasswd }));

  const clientWith = (env: Environment): Registry =>
    createClient({ host: registry.host, fetch, credentials: dockerCredentials({ env }) });
  const isLetIn = async (env: Environment, repository: string = 'team/app'): Promise<boolean> => {
    try {
      await pushContent(clientWith(env), repository, imageOf(), { tags: ['v1'] });
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'UNAUTHORIZED' });
      expect(String(error)).not.toContain(password);
      return false;
    }
  };
  /** Runs a command of a client that reads the password. */
  const login = async (client: Client, args: readonly string[], env: Environment = {}): Promise<Environment> => {
    const [command, all, options] = client.invocation(...args);
    const whole = { ...options.env, ...env };
    await run(command, all, { ...options, env: whole, input: password });
    return whole;
  };

  describeWith(['docker'], 'docker login', () => {
    const docker = useDocker();
    const stdin = ['login', '--username', 'alice', '--password-stdin'];

    test('writes a file that lets our client in, until docker logout', async () => {
      const env = await login(docker, [...stdin, registry.host]);
      const config = await readFile(join(env['DOCKER_CONFIG'] ?? '', 'config.json'), 'utf8');
      expect(JSON.parse(config)).toMatchObject({ auths: { [registry.host]: { auth: expect.any(String) as unknown } } });
      expect(await isLetIn(env)).toBe(true);
      await docker.run('logout', registry.host);
      expect(await isLetIn(env)).toBe(false);
    });

    describe('with a credential helper', () => {
      const scratch = useScratch();
      let env: Environment = {};
      let stored = '';
      beforeAll(async () => {
        const directory = scratch.newPath();
        stored = join(directory, 'stored.json');
        env = {
          DOCKER_CONFIG: directory,
          PATH: [directory, process.env['PATH'] ?? ''].join(delimiter),
          OCIKIT_TEST_STORE: stored,
        };
        await mkdir(directory);
        await writeFile(join(directory, 'docker-credential-test'), helper, { mode: 0o755 });
      });

      test.each([
        ['for all hosts', () => ({ credsStore: 'test' })],
        ['for the host', () => ({ credHelpers: { [registry.host]: 'test' } })],
      ] as const)('%s keeps the password there, and lets our client in', async (_which, settings) => {
        const file = join(env['DOCKER_CONFIG'] ?? '', 'config.json');
        await writeFile(file, JSON.stringify(settings()));
        await login(docker, [...stdin, registry.host], env);
        expect(JSON.parse(await readFile(stored, 'utf8'))).toMatchObject({
          [registry.host]: { Username: 'alice', Secret: password },
        });
        expect(await readFile(file, 'utf8')).not.toContain('"auth"');
        expect(await isLetIn(env)).toBe(true);
        await login(docker, ['logout', registry.host], env);
        expect(await isLetIn(env)).toBe(false);
      });
    });
  });

  for (const [name, use] of [
    ['podman', usePodman],
    ['skopeo', useSkopeo],
  ] as const) {
    describeWith([name], `${name} login`, () => {
      const client = use();
      const stdin = ['login', '--tls-verify=false', '--username', 'alice', '--password-stdin'];

      test('writes a file that lets our client in, until it is logged out', async () => {
        const env = await login(client, [...stdin, registry.host]);
        expect(await isLetIn(env)).toBe(true);
        await client.run('logout', registry.host);
        expect(await isLetIn(env)).toBe(false);
      });

      test('for a part of the registry lets our client in there, and nowhere else', async () => {
        const env = await login(client, [...stdin, `${registry.host}/team`]);
        expect(await isLetIn(env, 'team/app')).toBe(true);
        expect(await isLetIn(env, 'team/app/below')).toBe(true);
        expect(await isLetIn(env, 'teams/app')).toBe(false);
        await client.run('logout', '--all');
      });

      test('writes a file that is named, and docker has the form of', async () => {
        const directory = client.newPath();
        await mkdir(directory);
        const env = await login(client, [...stdin, '--authfile', join(directory, 'config.json'), registry.host]);
        expect(await isLetIn(env)).toBe(false);
        expect(await isLetIn({ DOCKER_CONFIG: directory })).toBe(true);
        expect(await isLetIn({ REGISTRY_AUTH_FILE: join(directory, 'config.json') })).toBe(true);
      });
    });
  }
});

/** A credential helper that stores credentials in a file. docker-credential-helpers, "Development". */
const helper = `#!${process.execPath}
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const file = process.env.OCIKIT_TEST_STORE;
const stored = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
const input = readFileSync(0, 'utf8').trim();
const save = () => writeFileSync(file, JSON.stringify(stored));
switch (process.argv[2]) {
  case 'store': {
    const { ServerURL, ...credential } = JSON.parse(input);
    stored[ServerURL] = { ServerURL, ...credential };
    save();
    break;
  }
  case 'erase':
    delete stored[input];
    save();
    break;
  case 'get':
    if (stored[input] === undefined) {
      console.log('credentials not found in native keychain');
      process.exit(1);
    }
    console.log(JSON.stringify(stored[input]));
    break;
  case 'list':
    console.log(JSON.stringify(Object.fromEntries(Object.values(stored).map((each) => [each.ServerURL, each.Username]))));
}
`;
