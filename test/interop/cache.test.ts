import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createClient } from 'ocikit/client';
import { openLayout } from 'ocikit/layout';
import type { LayoutRegistry } from 'ocikit/layout';
import { createMemoryRegistry } from 'ocikit/memory';
import { nodeFetch } from 'ocikit/node';
import { cache, upstreams } from 'ocikit/views';
import type { CacheEvent, CacheRegistry } from 'ocikit/views';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import type { ClientName } from './clients.ts';
import { useContainerd } from './containerd.ts';
import { useDocker } from './docker.ts';
import { makeImage } from './images.ts';
import type { Image } from './images.ts';
import { usePodman } from './podman.ts';
import { useDistribution } from './registries.ts';
import { useScratch } from './scratch.ts';
import type { Scratch } from './scratch.ts';
import { useServed } from './served.ts';
import { useSkopeo } from './skopeo.ts';

// Clients with a mirror of Docker Hub. Docker Hub itself cannot be reached from here, so all content comes from the
// cache.

const fetch = nodeFetch();
afterAll(() => fetch.close());

interface CachedHub {
  /** `host:port` of the cache. */
  readonly host: string;
  readonly events: CacheEvent[];
  readonly image: Image;
}

/** A cache, and an upstream in place of Docker Hub, with `library/app:1`. */
function useCachedHub(upstream: () => string, scratch: Scratch): CachedHub {
  const events: CacheEvent[] = [];
  const skopeo = useSkopeo();
  let image: Image | undefined;
  let registry: CacheRegistry | undefined;
  let store: LayoutRegistry | undefined;
  const served = useServed(() => {
    const hub = createClient({ host: upstream(), fetch, parallel: false });
    store = openLayout(scratch.newPath(), { sparse: true });
    registry = cache(upstreams({ 'docker.io': hub }), store, {
      maxAge: 0,
      local: createMemoryRegistry(),
      onEvent: (event) => events.push(event),
    });
    return registry;
  });
  beforeAll(async () => {
    image = await makeImage(scratch.newPath(), { 'hello.txt': 'cached\n', 'data.bin': { randomBytes: 3_000_000 } });
    await skopeo.push(image, `${upstream()}/library/app:1`);
  });
  afterAll(async () => {
    await registry?.close();
    await store?.close();
  });
  return {
    events,
    get host() {
      return served.host;
    },
    get image() {
      if (image === undefined) throw new Error('the image is made before the tests');
      return image;
    },
  };
}

/** The configuration of podman and skopeo. */
async function mirrorConfiguration(scratch: Scratch, host: string): Promise<string> {
  const path = scratch.newPath();
  const lines = [
    '[[registry]]',
    'location = "docker.io"',
    '[[registry.mirror]]',
    `location = "${host}"`,
    'insecure = true',
  ];
  await writeFile(path, lines.join('\n'));
  return path;
}

const upstreamRegistries: readonly [client: ClientName, program: 'docker-registry' | 'registry'][] = [
  ['docker-registry', 'docker-registry'],
  ['distribution', 'registry'],
];

for (const [name, program] of upstreamRegistries) {
  describeWith([name, 'skopeo'], `a cache of ${name}`, () => {
    const scratch = useScratch();
    const upstream = useDistribution(program);
    const hub = useCachedHub(() => upstream.host, scratch);
    const layers = (): CacheEvent[] => hub.events.filter(({ kind, type }) => kind === 'blob' && type === 'miss');

    describeWith(['docker'], 'by registry-mirrors of docker', () => {
      const docker = useDocker(() => ['--registry-mirror', `http://${hub.host}`]);

      test('docker pulls through it, and again without a download', async () => {
        const { files } = await docker.pull('app:1');
        expect(files).toEqual(hub.image.files);
        expect(layers().length).toBeGreaterThan(0);
        const before = layers().length;
        expect((await docker.pull('app:1')).files).toEqual(hub.image.files);
        expect(layers()).toHaveLength(before);
      });

      test('docker pushes to it, and pulls the pushed image', async () => {
        const reference = `${hub.host}/ours/app:1`;
        await docker.run('tag', 'app:1', reference);
        await docker.run('push', reference);
        expect((await docker.pull(reference)).files).toEqual(hub.image.files);
      });
    });

    describeWith(['podman'], 'by registries.conf of podman', () => {
      const podman = usePodman();

      test('podman pulls through it', async () => {
        const conf = await mirrorConfiguration(scratch, hub.host);
        process.env['CONTAINERS_REGISTRIES_CONF'] = conf;
        const { files } = await podman.pull('docker.io/library/app:1').finally(() => {
          delete process.env['CONTAINERS_REGISTRIES_CONF'];
        });
        expect(files).toEqual(hub.image.files);
      });
    });

    test('skopeo copies through it', async () => {
      const conf = await mirrorConfiguration(scratch, hub.host);
      const target = scratch.newPath();
      await skopeo.run('--registries-conf', conf, 'copy', 'docker://docker.io/library/app:1', `oci:${target}`);
      const { stdout } = await skopeo.run('inspect', '--raw', `oci:${target}`);
      const manifest = JSON.parse(stdout) as { layers: { digest: string }[] };
      expect(manifest.layers).toHaveLength(1);
      expect(hub.events.some(({ reference }) => reference === manifest.layers[0]?.digest)).toBe(true);
    });
    const skopeo = useSkopeo();

    describeWith(['docker'], 'by hosts.toml of containerd', () => {
      const containerd = useContainerd();

      test('ctr pulls through it, and names the upstream in its requests', async () => {
        const directory = join(containerd.hosts, 'docker.io');
        await mkdir(directory);
        await writeFile(
          join(directory, 'hosts.toml'),
          `[host."http://${hub.host}"]\n  capabilities = ["pull", "resolve"]\n`,
        );
        const pull = ['images', 'pull', '--hosts-dir', containerd.hosts, '--snapshotter', 'native'];
        await containerd.run(...pull, 'docker.io/library/app:1');
        const { stdout } = await containerd.run('images', 'list');
        expect(stdout).toContain('docker.io/library/app:1');
      });

      test('ctr is not given an image of another registry by the same name', async () => {
        const directory = join(containerd.hosts, '127.0.0.1:1');
        await mkdir(directory);
        await writeFile(
          join(directory, 'hosts.toml'),
          `server = "http://127.0.0.1:1"\n[host."http://${hub.host}"]\n  capabilities = ["pull", "resolve"]\n`,
        );
        const pull = ['images', 'pull', '--hosts-dir', containerd.hosts, '--snapshotter', 'native'];
        await containerd.runToFailure(...pull, '127.0.0.1:1/library/app:1');
      });
    });

    test('still serves its content when the upstream is gone', async () => {
      // This test has to be the last one, as it stops the upstream for good.
      const before = hub.events.length;
      await upstream.stop();
      const target = scratch.newPath();
      const conf = await mirrorConfiguration(scratch, hub.host);
      await skopeo.run('--registries-conf', conf, 'copy', 'docker://docker.io/library/app:1', `oci:${target}`);
      expect(hub.events.slice(before).some(({ type }) => type === 'stale')).toBe(true);
    });
  });
}
