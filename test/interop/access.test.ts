import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { ImageClient } from './client.ts';
import { presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { usePodman } from './podman.ts';
import { useRegctl } from './regctl.ts';
import { CommandError, run, runToFailure } from './run.ts';
import { useScratch } from './scratch.ts';
import { givenRegistry, useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const password = 'a secret: äöü';
/** Output of `htpasswd -nbBC 4`. */
const hash = '$2y$04$yUvHq7DiLEeOAWQNca.Y9OMnVsaH369a76rfbFRNT6W32KT9LdJkm';

const directory = mkdtempSync(join(tmpdir(), 'ocikit-access-'));
afterAll(() => rmSync(directory, { recursive: true }));
const users = join(directory, 'users');
writeFileSync(users, `alice:${hash}\nbob:${hash}\n`);
const rules = join(directory, 'access.json');
writeFileSync(
  rules,
  JSON.stringify({ rules: [{ allow: ['push', 'overwrite'], repositories: '**', subjects: { user: 'alice' } }] }),
);

interface LoginClient {
  use: () => ImageClient;
  /** The arguments of a login that reads the password from stdin. */
  login: (host: string, user: string) => string[];
}

const all: Readonly<Record<'crane' | 'docker' | 'podman' | 'regctl' | 'skopeo', LoginClient>> = {
  docker: { use: useDocker, login: (host, user) => ['login', '-u', user, '--password-stdin', host] },
  podman: {
    use: usePodman,
    login: (host, user) => ['login', '--tls-verify=false', '-u', user, '--password-stdin', host],
  },
  skopeo: {
    use: useSkopeo,
    login: (host, user) => ['login', '--tls-verify=false', '-u', user, '--password-stdin', host],
  },
  crane: { use: useCrane, login: (host, user) => ['auth', 'login', '-u', user, '--password-stdin', host] },
  regctl: { use: useRegctl, login: (host, user) => ['registry', 'login', '-u', user, '--pass-stdin', host] },
};

// A given registry has its own users.
describe.skipIf(givenRegistry !== undefined)('ocikit serve --htpasswd --access --anonymous pull', () => {
  const registry = useRegistry('--htpasswd', users, '--access', rules, '--anonymous', 'pull');
  const scratch = useScratch();
  let image: Image;
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'for who may\n', 'data.bin': { randomBytes: 100_000 } });
  });

  for (const name of presentClients(['docker', 'podman', 'skopeo', 'crane', 'regctl'])) {
    describe(`with ${name}`, () => {
      const { use, login } = all[name];
      const [stranger, alice, bob] = [use(), use(), use()];
      const logIn = async (client: ImageClient, user: string, secret: string): Promise<void> => {
        const [command, args, options] = client.invocation(...login(registry.host, user));
        await run(command, args, { ...options, input: secret });
      };
      const own = (tag: string): string => registry.reference(`by-${name}:${tag}`);

      test('lets a user push, and everybody pull', async () => {
        await logIn(alice, 'alice', password);
        const digest = await alice.push(image, own('1'));
        expect(await stranger.pull(own('1'))).toEqual({ digest, files: image.files });
        expect(await alice.push(image, own('1'))).toBe(digest);
      });

      test('shows the reason to a user who may not push', async () => {
        await logIn(bob, 'bob', password);
        const { stderr } = await runToFailure(...(await bob.prepare(image, own('2'))));
        expect(stderr).toMatch(/bob may not push to [\w/-]+: no rule allows it/);
      });

      test('tells a stranger how to log in', async () => {
        const { stderr } = await runToFailure(...(await stranger.prepare(image, own('3'))));
        expect(stderr).toMatch(/log in: docker login|unauthorized|no basic auth|authentication required/i);
      });

      test('lets nobody in with a wrong password', async () => {
        const failure: unknown = await logIn(bob, 'bob', 'wrong')
          .then(async () => runToFailure(...(await bob.prepare(image, own('4')))))
          .catch((error: unknown) => error);
        expect(failure).toBeInstanceOf(CommandError);
        expect(String(failure)).toMatch(/unauthorized|password|denied|40[13]/i);
        expect((await registry.fetch(`by-${name}/manifests/4`)).status).toBe(404);
      });
    });
  }
});
