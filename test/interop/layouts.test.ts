import { cp, mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { beforeAll, describe, expect, test } from 'vitest';

import { find } from './client.ts';
import type { Client } from './client.ts';
import { describeWith, presentClients } from './clients.ts';
import type { ClientName } from './clients.ts';
import { useCrane } from './crane.ts';
import { useDocker } from './docker.ts';
import { filesBelow, makeImage, sha256, unpackLayout } from './images.ts';
import type { Files, Image } from './images.ts';
import { useOras } from './oras.ts';
import { useBuildah, usePodman } from './podman.ts';
import { useRegctl } from './regctl.ts';
import { run } from './run.ts';
import { useScratch } from './scratch.ts';
import { givenRegistry, useDirectoryRegistry, useRegistry } from './server.ts';
import type { TestRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';
import { useUmoci } from './umoci.ts';

const use = { docker: useDocker, podman: usePodman, skopeo: useSkopeo, crane: useCrane, regctl: useRegctl };
const pullers = ['skopeo', 'crane', 'regctl'] as const;
const refName = 'org.opencontainers.image.ref.name';

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function entriesOf(layout: string): Promise<Entry[]> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: Entry[] };
  return index.manifests;
}

async function tagsOf(registry: TestRegistry, repository: string): Promise<string[] | null> {
  const response = await registry.fetch(`${repository}/tags/list`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { tags: string[] | null }).tags;
}

/** Writes an image into a layout, with the tag `1` if the client supports tags. */
type WriteLayout = (image: Image, layout: string, source: TestRegistry) => Promise<unknown>;

/** How each client writes a layout. A client that can only pull gets the image from `source`, as `image:1`. */
const writers: Readonly<Record<string, { client: ClientName; isTagged: boolean; use: () => WriteLayout }>> = {
  'skopeo copy': {
    client: 'skopeo',
    isTagged: true,
    use() {
      const skopeo = useSkopeo();
      return (image, layout) => skopeo.run('copy', `oci:${image.layout}:image`, `oci:${layout}:1`);
    },
  },
  'crane pull': {
    client: 'crane',
    isTagged: false,
    use() {
      const crane = useCrane();
      return (_image, layout, source) => crane.run('pull', '--format', 'oci', source.reference('image:1'), layout);
    },
  },
  'regctl image copy': {
    client: 'regctl',
    isTagged: true,
    use() {
      const regctl = useRegctl();
      return (image, layout) => regctl.run('image', 'copy', `ocidir://${image.layout}:image`, `ocidir://${layout}:1`);
    },
  },
  umoci: {
    client: 'umoci',
    isTagged: true,
    use() {
      const umoci = useUmoci();
      return async (image, layout) => {
        await umoci.run('init', '--layout', layout);
        await umoci.run('new', '--image', `${layout}:1`);
        // Do not use `umoci insert`: its tars end too early for tar.
        const bundle = umoci.newPath();
        await umoci.run('unpack', '--rootless', '--image', `${layout}:1`, bundle);
        await cp(join(image.context, 'files'), join(bundle, 'rootfs'), { recursive: true });
        await umoci.run('repack', '--image', `${layout}:1`, bundle);
        await umoci.run('gc', '--layout', layout);
      };
    },
  },
  'podman push': {
    client: 'podman',
    isTagged: true,
    use() {
      const podman = usePodman();
      return async (image, layout) => {
        await podman.prepare(image, 'local');
        await podman.run('push', 'local', `oci:${layout}:1`);
      };
    },
  },
  'podman save': {
    client: 'podman',
    isTagged: true,
    use() {
      const podman = usePodman();
      return async (image, layout) => {
        await podman.prepare(image, 'local:1');
        await podman.run('save', '--format', 'oci-dir', '--output', layout, 'local:1');
      };
    },
  },
  'buildah commit': {
    client: 'buildah',
    isTagged: true,
    use() {
      const buildah = useBuildah();
      return async (image, layout) => {
        const { stdout: container } = await buildah.run('from', 'scratch');
        await buildah.run('add', container.trim(), join(image.context, 'files'), '/');
        await buildah.run('commit', '--rm', container.trim(), `oci:${layout}:1`);
      };
    },
  },
  oras: {
    client: 'oras',
    isTagged: true,
    use() {
      const oras = useOras();
      return (_image, layout, source) => oras.run('write-layout', source.reference('image:1'), layout, '1');
    },
  },
};

// A given registry does not show its files.
describe.skipIf(givenRegistry !== undefined)('image layouts', () => {
  describe('that other tools wrote', () => {
    const source = useRegistry('--memory');
    const scratch = useScratch();
    let image: Image;
    let other: Image;
    beforeAll(async () => {
      image = await makeImage(scratch.newPath(), { 'hello.txt': 'a layout\n', 'data.bin': { randomBytes: 300_000 } });
      other = await makeImage(scratch.newPath(), { 'hello.txt': 'pushed afterwards\n' });
    });

    for (const [title, { client, isTagged, use: useWriter }] of Object.entries(writers)) {
      describeWith(['crane', client], `${title}: an image`, () => {
        const registry = useDirectoryRegistry();
        const crane = useCrane();
        const write = useWriter();
        let written: Entry;
        let reference: string;
        beforeAll(async () => {
          await crane.push(image, source.reference('image:1'));
          const layout = registry.directory('app');
          await mkdir(dirname(layout), { recursive: true });
          await write(image, layout, source);
          const [only, ...others] = await entriesOf(layout);
          if (only === undefined || others.length > 0) throw new Error(`${layout} holds ${others.length + 1} entries`);
          written = only;
          await registry.start();
          reference = registry.reference(isTagged ? 'app:1' : `app@${written.digest}`);
        });

        test(`is listed ${isTagged ? 'with its tag' : 'without a tag'}`, async () => {
          expect(await tagsOf(registry, 'app')).toEqual(isTagged ? ['1'] : []);
          const catalog = await fetch(`http://${registry.host}/v2/_catalog`);
          expect(await catalog.json()).toEqual({ repositories: [`${registry.namespace}/app`] });
        });

        for (const name of presentClients(pullers)) {
          describe(`with ${name}`, () => {
            const puller = use[name]();
            test('is pulled: the digest and the files are those that were written', async () => {
              expect(await puller.pull(reference)).toEqual({ digest: written.digest, files: image.files });
            });
          });
        }

        test('stays when another is pushed and the server stops', async () => {
          await crane.push(other, registry.reference('app:2'));
          await registry.stop();
          const entries = await entriesOf(registry.directory('app'));
          expect(entries).toHaveLength(2);
          expect(entries).toContainEqual(written);
          expect(entries).toContainEqual(
            expect.objectContaining({ digest: other.digest, annotations: { [refName]: '2' } }),
          );
          await registry.start();
          expect(await crane.pull(reference)).toEqual({ digest: written.digest, files: image.files });
          expect(await crane.pull(registry.reference('app:2'))).toEqual({ digest: other.digest, files: other.files });
        });
      });
    }

    const indexWriters: Readonly<Record<string, () => (layout: string) => Promise<unknown>>> = {
      skopeo() {
        const skopeo = useSkopeo();
        const from = ['copy', '--all', '--src-tls-verify=false'];
        return (layout) => skopeo.run(...from, `docker://${source.reference('index:all')}`, `oci:${layout}:all`);
      },
      crane() {
        const crane = useCrane();
        return (layout) => crane.run('pull', '--format', 'oci', source.reference('index:all'), layout);
      },
      regctl() {
        const regctl = useRegctl();
        return (layout) => regctl.run('image', 'copy', source.reference('index:all'), `ocidir://${layout}:all`);
      },
      oras() {
        const oras = useOras();
        return (layout) => oras.run('write-layout', source.reference('index:all'), layout, 'all');
      },
    };

    for (const name of presentClients(['skopeo', 'crane', 'regctl', 'oras'])) {
      describeWith(['regctl', 'crane'], `${name}: an index`, () => {
        const registry = useDirectoryRegistry();
        const [regctl, crane] = [useRegctl(), useCrane()];
        const write = indexWriters[name]?.();
        const children: string[] = [];
        let digest: string;
        beforeAll(async () => {
          const platforms = ['linux/amd64', 'linux/arm64'];
          const parts = platforms.map((platform) => source.reference(`index:${platform.replace('/', '-')}`));
          for (const [i, part] of parts.entries()) {
            const platform = platforms[i] ?? '';
            await crane.push(image, part);
            await crane.run('mutate', '--set-platform', platform, '--tag', part, part);
            children.push((await crane.run('digest', part)).stdout.trim());
          }
          const all = source.reference('index:all');
          await regctl.run('index', 'create', all, ...parts.flatMap((part) => ['--ref', part]));
          digest = (await crane.run('digest', all)).stdout.trim();
          const layout = registry.directory('multi');
          await mkdir(dirname(layout), { recursive: true });
          await write?.(layout);
          await registry.start();
        });

        test('is pulled whole', async () => {
          await crane.run('validate', '--remote', `${registry.reference('multi')}@${digest}`);
        });

        test('has children that are pulled by their digests', async () => {
          for (const child of children) {
            const pulled = await crane.pull(`${registry.reference('multi')}@${child}`);
            expect(pulled).toEqual({ digest: child, files: image.files });
          }
        });

        test('keeps its children when something else is pushed and the server stops', async () => {
          const before = await entriesOf(registry.directory('multi'));
          await crane.push(other, registry.reference('multi:other'));
          await registry.stop();
          const after = await entriesOf(registry.directory('multi'));
          expect(after).toHaveLength(before.length + 1);
          expect(after).toEqual(expect.arrayContaining(before));
          await registry.start();
          for (const child of children) {
            expect((await crane.pull(`${registry.reference('multi')}@${child}`)).files).toEqual(image.files);
          }
        });
      });
    }

    describeWith(['regctl', 'crane'], 'regctl: artifacts attached to an image', () => {
      const registry = useDirectoryRegistry();
      const [regctl, crane] = [useRegctl(), useCrane()];
      const attach = async (subject: string, artifactType: string): Promise<void> => {
        const put = ['artifact', 'put', '--artifact-type', artifactType, '--subject', subject];
        const [command, args, options] = regctl.invocation(...put);
        await run(command, args, { ...options, input: artifactType });
      };
      const artifactTypes = async (subject: string): Promise<string[]> => {
        const format = '{{range .Descriptors}}{{println .ArtifactType}}{{end}}';
        const { stdout } = await regctl.run('artifact', 'list', '--format', format, subject);
        return stdout.trim().split('\n').toSorted();
      };
      const types = ['application/spdx+json', 'application/vnd.example.signature'];
      beforeAll(async () => {
        const layout = `ocidir://${registry.directory('subject')}:1`;
        await regctl.run('image', 'copy', `ocidir://${image.layout}:image`, layout);
        for (const type of types) await attach(layout, type);
        await registry.start();
      });

      test('are listed as its referrers', async () => {
        expect(await artifactTypes(registry.reference('subject:1'))).toEqual(types);
        const response = await registry.fetch(`subject/referrers/${image.digest}`);
        const { manifests } = (await response.json()) as { manifests: { artifactType: string }[] };
        expect(manifests.map(({ artifactType }) => artifactType).toSorted()).toEqual(types);
      });

      test('are still listed after one more was attached, and after a restart', async () => {
        await attach(registry.reference('subject:1'), 'text/plain');
        expect(await artifactTypes(registry.reference('subject:1'))).toEqual([...types, 'text/plain']);
        await registry.stop();
        await registry.start();
        expect(await artifactTypes(registry.reference('subject:1'))).toEqual([...types, 'text/plain']);
        expect((await crane.pull(registry.reference('subject:1'))).files).toEqual(image.files);
      });
    });

    describeWith(['skopeo', 'crane'], 'skopeo: one layout for several repositories', () => {
      const registry = useDirectoryRegistry('--layout', 'shared');
      const [skopeo, crane] = [useSkopeo(), useCrane()];
      beforeAll(async () => {
        for (const name of ['one:1', 'two:1']) {
          const target = `oci:${registry.root}:${registry.namespace}/${name}`;
          await skopeo.run('copy', `oci:${image.layout}:image`, target);
        }
        await registry.start();
      });

      test('is served, each repository with its tags', async () => {
        for (const name of ['one', 'two']) {
          expect(await tagsOf(registry, name)).toEqual(['1']);
          expect(await crane.pull(registry.reference(`${name}:1`))).toEqual({
            digest: image.digest,
            files: image.files,
          });
        }
      });

      test('stays when another image is pushed and the server stops', async () => {
        const before = await entriesOf(registry.root);
        await crane.push(other, registry.reference('three:1'));
        await registry.stop();
        const after = await entriesOf(registry.root);
        expect(after).toHaveLength(3);
        expect(after).toEqual(expect.arrayContaining(before));
      });
    });
  });

  const pushers = ['docker', 'podman', 'skopeo', 'crane', 'regctl'] as const;

  describe('that were pushed, after the server has stopped', () => {
    const registry = useDirectoryRegistry();
    const shared = useDirectoryRegistry('--layout', 'shared');
    const target = useRegistry('--memory');
    const scratch = useScratch();
    const clients = presentClients(pushers).map((name) => use[name]());
    const pushed = new Map<string, { digest: string; files: Files }>();
    beforeAll(async () => {
      await Promise.all([registry.start(), shared.start()]);
      for (const client of clients) {
        const { name } = client;
        const image = await makeImage(scratch.newPath(), { 'hello.txt': name, 'data.bin': { randomBytes: 300_000 } });
        const digest = await client.push(image, registry.reference(`by-${name}:1`));
        expect(await client.push(image, shared.reference(`by-${name}:1`))).toBe(digest);
        pushed.set(name, { digest, files: image.files });
      }
      await Promise.all([registry.stop(), shared.stop()]);
    });

    type Check = (layout: string, image: { digest: string; files: Files }, name: string) => Promise<void>;
    /** Calls `check` with the layout of each pushed image. */
    const forEach = async (check: Check): Promise<void> => {
      for (const [name, image] of pushed) await check(registry.directory(`by-${name}`), image, name);
    };
    /**
     * Skips Docker's media types, which its classic builder pushes: skopeo, Podman, umoci and oras ignore them in
     * layouts.
     */
    const forEachOfOci = (check: Check): Promise<void> =>
      forEach((layout, image, name) => (name === 'docker' ? Promise.resolve() : check(layout, image, name)));
    /** Returns the digest and the files that a tool finds in an image, named as `oci:/path/to/layout:1`. */
    const readWithSkopeo = async (skopeo: Client, name: string): Promise<unknown> => {
      const { stdout: digest } = await skopeo.run('inspect', '--format', '{{.Digest}}', name);
      const [copy, files] = [skopeo.newPath(), skopeo.newPath()];
      await skopeo.run('copy', name, `oci:${copy}`);
      await unpackLayout(copy, files);
      return { digest: digest.trim(), files: await filesBelow(files) };
    };
    const readWithPodman = async (podman: Client, name: string): Promise<unknown> => {
      await podman.run('rmi', '--all', '--force');
      const { stdout: id } = await podman.run('pull', '--quiet', name);
      const { stdout: digest } = await podman.run('image', 'inspect', '--format', '{{.Digest}}', id.trim());
      const { stdout: mounted } = await podman.run('image', 'mount', id.trim());
      const files = await filesBelow(mounted.trim());
      await podman.run('image', 'umount', id.trim());
      return { digest: digest.trim(), files };
    };
    const unpackWithUmoci = async (umoci: Client, name: string): Promise<Files> => {
      const bundle = umoci.newPath();
      await umoci.run('unpack', '--rootless', '--image', name, bundle);
      return filesBelow(join(bundle, 'rootfs'));
    };

    describeWith(['skopeo'], 'skopeo', () => {
      const skopeo = useSkopeo();
      test('reads them, but for what has media types of Docker’s', async () => {
        await forEachOfOci(async (layout, image) => {
          expect(await readWithSkopeo(skopeo, `oci:${layout}:1`)).toEqual(image);
        });
      });
      test('reads them in one layout for all', async () => {
        await forEachOfOci(async (_layout, image, name) => {
          const reference = `oci:${shared.root}:${shared.namespace}/by-${name}:1`;
          expect(await readWithSkopeo(skopeo, reference)).toEqual(image);
        });
      });
    });

    describeWith(['podman'], 'podman', () => {
      const podman = usePodman();
      test('pulls them, but for what has media types of Docker’s', async () => {
        await forEachOfOci(async (layout, image) => {
          expect(await readWithPodman(podman, `oci:${layout}:1`)).toEqual(image);
        });
      });
      test('pulls them from one layout for all', async () => {
        await forEachOfOci(async (_layout, image, name) => {
          const reference = `oci:${shared.root}:${shared.namespace}/by-${name}:1`;
          expect(await readWithPodman(podman, reference)).toEqual(image);
        });
      });
    });

    describeWith(['regctl'], 'regctl', () => {
      const regctl = useRegctl();
      const read = async (name: string): Promise<unknown> => {
        const { stdout: digest } = await regctl.run('image', 'digest', name);
        const [copy, files] = [regctl.newPath(), regctl.newPath()];
        await regctl.run('image', 'copy', name, `ocidir://${copy}:copy`);
        await unpackLayout(copy, files);
        return { digest: digest.trim(), files: await filesBelow(files) };
      };
      test('reads them, and lists their tags', async () => {
        await forEach(async (layout, image) => {
          expect((await regctl.run('tag', 'ls', `ocidir://${layout}`)).stdout).toBe('1\n');
          expect(await read(`ocidir://${layout}:1`)).toEqual(image);
        });
      });
      test('reads them by their digests in one layout for all, whose names it has no way to say', async () => {
        await forEach(async (_layout, image) => {
          expect(await read(`ocidir://${shared.root}@${image.digest}`)).toEqual(image);
        });
      });
    });

    describeWith(['crane'], 'crane', () => {
      const crane = useCrane();
      test('pushes them to another registry', async () => {
        await forEach(async (layout, image, name) => {
          await crane.run('push', layout, target.reference(`crane-${name}:1`));
          expect(await crane.pull(target.reference(`crane-${name}:1`))).toEqual(image);
        });
      });
    });

    describeWith(['umoci'], 'umoci', () => {
      const umoci = useUmoci();
      test('lists their tags', async () => {
        await forEach(async (layout) => {
          expect((await umoci.run('list', '--layout', layout)).stdout).toBe('1\n');
        });
      });
      test('unpacks them, but for what has media types of Docker’s', async () => {
        await forEachOfOci(async (layout, image) => {
          await umoci.run('stat', '--image', `${layout}:1`, '--json');
          expect(await unpackWithUmoci(umoci, `${layout}:1`)).toEqual(image.files);
        });
      });
      test('finds all names in one layout for all', async () => {
        const { stdout } = await umoci.run('list', '--layout', shared.root);
        const names = [...pushed.keys()].map((name) => `${shared.namespace}/by-${name}:1`);
        expect(stdout.trim().split('\n').toSorted()).toEqual(names.toSorted());
      });
    });

    describeWith(['oras'], 'oras', () => {
      const oras = useOras();
      test('pushes them to another registry, but for what has media types of Docker’s', async () => {
        await forEachOfOci(async (layout, image, name) => {
          const { stdout } = await oras.run('push-layout', target.reference(`oras-${name}:1`), layout, '1');
          expect(JSON.parse(stdout)).toBe(image.digest);
        });
      });
    });

    test('were pushed by all of the clients', () => {
      expect([...pushed.keys()]).toEqual(clients.map(({ name }) => name));
    });
  });

  describeWith(['skopeo', 'crane', 'regctl'], 'while the server is running', () => {
    const registry = useDirectoryRegistry('--durability', 'none');
    const scratch = useScratch();
    const [skopeo, crane, regctl] = [useSkopeo(), useCrane(), useRegctl()];

    /** Pushes many small manifests, so that the journal is folded. */
    const pushMany = async (config: Entry): Promise<void> => {
      const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
      const padding = 'x'.repeat(60);
      // The journal has to reach 4 MiB.
      const further = (tag: string): string => ['a', 'b', 'c', 'd', 'e'].map((name) => `tag=${name}-${tag}`).join('&');
      const push = async (tag: string): Promise<void> => {
        const annotations = { tag };
        const { mediaType, digest, size } = config;
        const manifest = { schemaVersion: 2, config: { mediaType, digest, size }, layers: [], annotations };
        const init = { method: 'PUT', headers, body: JSON.stringify(manifest) };
        const response = await registry.fetch(`app/manifests/${tag}?${further(tag)}`, init);
        expect(response.status).toBe(201);
      };
      for (let i = 0; i < 3000; i += 30) {
        await Promise.all(Array.from({ length: 30 }, (_, j) => push(`${i + j}-${padding}`)));
      }
    };

    test('what was pushed is seen by other tools once the journal has been folded', async () => {
      await registry.start();
      const image = await makeImage(scratch.newPath(), { 'hello.txt': 'still running\n' });
      await crane.push(image, registry.reference('app:1'));
      const manifest = JSON.parse((await crane.run('manifest', registry.reference('app:1'))).stdout) as {
        config: Entry;
      };
      await pushMany(manifest.config);
      const layout = registry.directory('app');
      for (let i = 0; i < 300 && (await entriesOf(layout)).length === 0; i += 1) await delay(100);
      const digest = await skopeo.run('inspect', '--format', '{{.Digest}}', `oci:${layout}:1`);
      expect(digest.stdout.trim()).toBe(image.digest);
      expect((await regctl.run('image', 'digest', `ocidir://${layout}:1`)).stdout.trim()).toBe(image.digest);
      expect((await crane.pull(registry.reference('app:1'))).files).toEqual(image.files);
    });
  });

  describe('over a restart', () => {
    const registry = useDirectoryRegistry();
    const shared = useDirectoryRegistry('--layout', 'shared');
    const scratch = useScratch();
    beforeAll(() => Promise.all([registry.start(), shared.start()]));

    for (const name of presentClients(pushers)) {
      describe(`with ${name}`, () => {
        const client = use[name]();
        test('an image stays, in a layout of its own and in one for all', async () => {
          for (const store of [registry, shared]) {
            const image = await makeImage(scratch.newPath(), {
              'hello.txt': name,
              'data.bin': { randomBytes: 100_000 },
            });
            const digest = await client.push(image, store.reference(`by-${name}:1`));
            await store.stop();
            await store.start();
            expect(await client.pull(store.reference(`by-${name}:1`))).toEqual({ digest, files: image.files });
          }
        });
      });
    }

    describeWith(['docker'], 'with docker again', () => {
      const docker = useDocker();
      test('the layers of an image are known to be there', async () => {
        const image = await makeImage(scratch.newPath(), { 'hello.txt': 'again\n' });
        const digest = await docker.push(image, registry.reference('again:1'));
        await registry.stop();
        await registry.start();
        const again = await docker.run('push', registry.reference('again:1'));
        expect(again.stdout).toContain('Layer already exists');
        expect(find(/digest: (sha256:\w+)/, again)).toBe(digest);
      });
    });

    test('an upload in chunks goes on where it was', async () => {
      const halves = ['first half, '.repeat(10_000), 'second half'.repeat(10_000)] as const;
      const begun = await registry.fetch('chunked/blobs/uploads/', { method: 'POST' });
      expect(begun.status).toBe(202);
      const url = (response: Response): string => new URL(response.headers.get('location') ?? '', response.url).href;
      const chunk = (start: number, body: string): RequestInit => ({
        method: 'PATCH',
        headers: {
          'content-type': 'application/octet-stream',
          'content-range': `${start}-${start + body.length - 1}`,
        },
        body,
      });
      const first = await fetch(url(begun), chunk(0, halves[0]));
      expect(first.status).toBe(202);

      await registry.stop();
      await registry.start();
      const asked = await fetch(url(first));
      expect(asked.status).toBe(204);
      expect(asked.headers.get('range')).toBe(`0-${halves[0].length - 1}`);
      const second = await fetch(url(asked), chunk(halves[0].length, halves[1]));
      expect(second.status).toBe(202);
      const digest = sha256(halves.join(''));
      const end = new URL(url(second));
      end.searchParams.set('digest', digest);
      const finished = await fetch(end, { method: 'PUT' });
      expect(finished.status).toBe(201);
      const blob = await registry.fetch(`chunked/blobs/${digest}`);
      expect(await blob.text()).toBe(halves.join(''));
    });
  });
});
