import { beforeAll, describe, expect, test } from 'vitest';

import { describeWith, presentClients } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { useRegctl } from './regctl.ts';
import { run, runToFailure } from './run.ts';
import { useScratch } from './scratch.ts';
import { givenRegistry, useRegistry } from './server.ts';

// A given registry has its own flags.
describe.skipIf(givenRegistry !== undefined)('ocikit serve', () => {
  describe('--read-only', () => {
    const registry = useRegistry('--read-only');
    const scratch = useScratch();
    let image: Image;
    beforeAll(async () => {
      image = await makeImage(scratch.newPath(), { 'hello.txt': 'not for you\n' });
    });

    describeWith(['crane'], 'with crane', () => {
      const crane = useCrane();
      test('refuses a push, and says that it is unsupported', async () => {
        const error = await runToFailure(...(await crane.prepare(image, registry.reference('app:1'))));
        expect(error.stderr).toMatch(/unsupported/i);
      });
    });

    describeWith(['docker'], 'with docker', () => {
      const docker = useDocker();
      test('refuses a push, and says that it is unsupported', async () => {
        const error = await runToFailure(...(await docker.prepare(image, registry.reference('app:1'))));
        expect(error.stderr).toMatch(/unsupported/i);
      });
    });
  });

  describe('--memory', () => {
    const registry = useRegistry('--memory');
    const scratch = useScratch();
    const use = { docker: useDocker, crane: useCrane, regctl: useRegctl };

    for (const name of presentClients(['docker', 'crane', 'regctl'])) {
      describe(`with ${name}`, () => {
        const client = use[name]();
        test('stores an image, and serves it', async () => {
          const image = await makeImage(scratch.newPath(), {
            'hello.txt': name,
            'data.bin': { randomBytes: 1_000_000 },
          });
          const digest = await client.push(image, registry.reference(`by-${name}:1`));
          expect(await client.pull(registry.reference(`by-${name}:1`))).toEqual({ digest, files: image.files });
        });
      });
    }
  });

  describeWith(['regctl'], 'with regctl', () => {
    const complete = useRegistry();
    const sparse = useRegistry('--sparse');
    const regctl = useRegctl();
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const absent = `sha256:${'0'.repeat(64)}`;
    const manifests = [{ mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: absent, size: 1234 }];
    const index = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
    const put = (reference: string): Parameters<typeof run> => {
      const [command, args, options] = regctl.invocation('manifest', 'put', '--content-type', mediaType, reference);
      return [command, args, { ...options, input: index }];
    };

    test('refuses an index with a missing manifest, and names that manifest', async () => {
      const error = await runToFailure(...put(complete.reference('index:1')));
      expect(error.stderr).toContain(absent);
    });

    test('accepts an index with a missing manifest with --sparse', async () => {
      await run(...put(sparse.reference('index:1')));
      const { stdout } = await regctl.run('manifest', 'get', '--format', 'raw-body', sparse.reference('index:1'));
      expect(stdout).toBe(index);
    });
  });
});
