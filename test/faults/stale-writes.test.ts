// Tools that had read an index before a fold and write it back after it, beside a server that is killed.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { hexOf, newManifest } from './content.ts';
import type { Manifest } from './content.ts';
import { deleteManifest, getManifest, pushManifest, pushSmall } from './requests.ts';
import { useScratch } from './scratch.ts';
import { useServers } from './server.ts';
import type { Server } from './server.ts';

const scratch = useScratch();
const servers = useServers();

const refName = 'org.opencontainers.image.ref.name';

interface Entry {
  mediaType: string;
  digest: string;
  size: number;
  annotations?: Record<string, string>;
}

interface Index {
  schemaVersion: number;
  manifests: Entry[];
}

/** As skopeo writes (in place) and as umoci writes (by renaming). */
const writers = {
  async rewrites(path: string, index: Index): Promise<void> {
    await writeFile(path, JSON.stringify(index));
  },
  async replaces(path: string, index: Index): Promise<void> {
    await writeFile(`${path}.theirs`, JSON.stringify(index));
    await rename(`${path}.theirs`, path);
  },
};

describe.each([
  ['per-repository', (repository: string) => [repository, ''] as const],
  ['shared', (repository: string) => ['', `${repository}:`] as const],
] as const)('a tool beside a server that is killed, layout %s', (layout, placeOf) => {
  const [directory, prefix] = placeOf('app');
  const flags = ['--quiet', '--layout', layout];

  /** A server, the tool's view of the index, and the tags of both. */
  class Scene {
    readonly root: string;
    server: Server | undefined;
    readonly images = new Map<string, Manifest>();
    readonly #path: string;

    constructor(root: string) {
      this.root = root;
      this.#path = join(root, directory, 'index.json');
    }

    get url(): string {
      return this.server?.url ?? '';
    }

    async start(): Promise<void> {
      this.server = await servers.start(this.root, { flags });
    }

    async kill(): Promise<void> {
      await this.server?.kill();
      this.server = undefined;
    }

    /** Pushes tags, of one image each, and waits until another tool sees them. */
    async fold(...tags: string[]): Promise<void> {
      for (const tag of tags) {
        const image = newManifest(tag);
        this.images.set(tag, image);
        expect((await pushSmall(this.url, 'app', image, tag)).status).toBe(201);
      }
      await expect
        .poll(async () => [...tagsIn(await this.read().catch(() => none))], { timeout: 60_000 })
        .toEqual(expect.arrayContaining(tags));
    }

    async read(): Promise<Index> {
      return JSON.parse(await readFile(this.#path, 'utf8')) as Index;
    }

    /** Writes an index back, with one more tag. */
    async write(index: Index, tag: string, how: keyof typeof writers = 'rewrites'): Promise<void> {
      const image = this.images.get(tag) ?? newManifest(tag);
      this.images.set(tag, image);
      const { digest, mediaType, bytes } = image;
      const path = join(this.root, directory, 'blobs', 'sha256', hexOf(digest));
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
      const entry = { mediaType, digest, size: bytes.length, annotations: { [refName]: `${prefix}${tag}` } };
      const others = index.manifests.filter(({ annotations }) => annotations?.[refName] !== `${prefix}${tag}`);
      await writers[how](this.#path, { ...index, manifests: [...others, entry] });
    }

    async writeBack(index: Index, how: keyof typeof writers = 'rewrites'): Promise<void> {
      await writers[how](this.#path, index);
    }

    /** The tags that the server serves with the image that was pushed last, or that the tool wrote last. */
    async served(): Promise<string[]> {
      const found: string[] = [];
      for (const [tag, { bytes }] of this.images) {
        const { status, body } = await getManifest(this.url, 'app', tag);
        if (status === 200 && body.equals(bytes)) found.push(tag);
        else if (status !== 404) throw new Error(`${tag}: HTTP ${status} ${body.toString().slice(0, 200)}`);
      }
      return found.toSorted();
    }

    /** The same after the server has seen the edit, which takes up to a second, and as other tools see it. */
    async expectTags(...tags: string[]): Promise<void> {
      await expect.poll(() => this.served(), { timeout: 20_000 }).toEqual(tags.toSorted());
      expect(await this.server?.stop()).toBe(0);
      this.server = undefined;
      expect([...tagsIn(await this.read())].toSorted()).toEqual(tags.toSorted());
      await this.start();
      expect(await this.served()).toEqual(tags.toSorted());
    }
  }

  const none: Index = { schemaVersion: 2, manifests: [] };

  function tagsIn({ manifests }: Index): Set<string> {
    const names = manifests.map(({ annotations }) => annotations?.[refName] ?? '@');
    return new Set(names.filter((name) => !name.includes('@')).map((name) => name.slice(prefix.length)));
  }

  function without(index: Index, ...tags: string[]): Index {
    const names = new Set(tags.map((tag) => `${prefix}${tag}`));
    return {
      ...index,
      manifests: index.manifests.filter(({ annotations }) => !names.has(annotations?.[refName] ?? '')),
    };
  }

  async function newScene(): Promise<Scene> {
    const scene = new Scene(await scratch.newDirectory());
    await scene.start();
    return scene;
  }

  describe.each(['rewrites', 'replaces'] as const)('that %s an index', (how) => {
    test('read before a fold, just before the kill, keeps what was folded', async () => {
      const scene = await newScene();
      await scene.fold('old');
      const read = await scene.read();
      await scene.fold('ours', 'ours-too');
      await scene.write(read, 'theirs', how);
      await scene.kill();
      await scene.start();
      await scene.expectTags('old', 'ours', 'ours-too', 'theirs');
    });

    test('read before a fold, after the kill, keeps what was folded', async () => {
      const scene = await newScene();
      await scene.fold('old');
      const read = await scene.read();
      await scene.fold('ours');
      await scene.kill();
      await scene.write(read, 'theirs', how);
      await scene.start();
      await scene.expectTags('old', 'ours', 'theirs');
    });

    test('read before a fold, after the server has started again, keeps what was folded', async () => {
      const scene = await newScene();
      await scene.fold('old');
      const read = await scene.read();
      await scene.fold('ours');
      await scene.kill();
      await scene.start();
      expect(await scene.served()).toEqual(['old', 'ours']);
      await scene.write(read, 'theirs', how);
      await scene.expectTags('old', 'ours', 'theirs');
    });
  });

  test('keeps what two folds wrote, and what a third one deleted and moved', async () => {
    const scene = await newScene();
    await scene.fold('old', 'moved', 'deleted');
    const read = await scene.read();
    await scene.fold('ours-1');
    await scene.fold('ours-2', 'moved');
    expect((await deleteManifest(scene.url, 'app', 'deleted')).status).toBe(202);
    await expect.poll(async () => tagsIn(await scene.read()).has('deleted'), { timeout: 60_000 }).toBe(false);
    await scene.kill();
    await scene.write(read, 'theirs');
    await scene.start();
    await scene.expectTags('old', 'ours-1', 'ours-2', 'moved', 'theirs');
  });

  test('keeps a manifest without a tag', async () => {
    const scene = await newScene();
    await scene.fold('old');
    const read = await scene.read();
    const image = newManifest();
    expect((await pushManifest(scene.url, 'app', image)).status).toBe(201);
    await scene.fold('ours');
    await scene.kill();
    await scene.write(read, 'theirs');
    await scene.start();
    await scene.expectTags('old', 'ours', 'theirs');
    expect((await getManifest(scene.url, 'app', image.digest)).status).toBe(200);
  });

  test('keeps what was folded into an index that was empty when it was read', async () => {
    const scene = await newScene();
    await scene.fold('ours');
    await scene.kill();
    await scene.write(none, 'theirs');
    await scene.start();
    await scene.expectTags('ours', 'theirs');
  });

  test('keeps what was folded when it writes twice, between two kills', async () => {
    const scene = await newScene();
    await scene.fold('old');
    const first = await scene.read();
    await scene.fold('ours-1');
    const second = await scene.read();
    await scene.fold('ours-2');
    await scene.kill();
    await scene.write(first, 'theirs-1');
    await scene.start();
    expect(await scene.served()).toEqual(['old', 'ours-1', 'ours-2', 'theirs-1']);
    await scene.kill();
    await scene.write(second, 'theirs-2');
    await scene.start();
    // The tool itself has undone what it wrote first.
    await scene.expectTags('old', 'ours-1', 'ours-2', 'theirs-2');
  });

  test.each(['before the kill', 'after the kill'])('is obeyed when it deletes what was folded, %s', async (when) => {
    const scene = await newScene();
    await scene.fold('old');
    await scene.fold('ours-1', 'ours-2');
    if (when === 'after the kill') await scene.kill();
    await scene.writeBack(without(await scene.read(), 'ours-1'));
    if (when === 'before the kill') {
      await expect.poll(() => scene.served(), { timeout: 20_000 }).toEqual(['old', 'ours-2']);
      await scene.kill();
    }
    // It had read what was folded, so this is no sign that it had not.
    await scene.write(await scene.read(), 'theirs');
    await scene.start();
    await scene.expectTags('old', 'ours-2', 'theirs');
  });

  test('is obeyed when the server saw it delete all that was folded, and it writes something else later', async () => {
    const scene = await newScene();
    await scene.fold('old');
    await scene.fold('ours');
    await scene.writeBack(without(await scene.read(), 'ours'));
    await expect.poll(() => scene.served(), { timeout: 20_000 }).toEqual(['old']);
    await scene.write(await scene.read(), 'theirs-1');
    await expect.poll(() => scene.served(), { timeout: 20_000 }).toEqual(['old', 'theirs-1']);
    await scene.kill();
    await scene.write(await scene.read(), 'theirs-2');
    await scene.start();
    await scene.expectTags('old', 'theirs-1', 'theirs-2');
  });

  test.each(['running', 'killed'])(
    'is obeyed when it moves a tag that was folded, by a server that is %s',
    async (is) => {
      const scene = await newScene();
      await scene.fold('old');
      await scene.fold('ours');
      if (is === 'killed') await scene.kill();
      scene.images.delete('ours');
      await scene.write(await scene.read(), 'ours');
      if (is === 'killed') await scene.start();
      await scene.expectTags('old', 'ours');
    },
  );
});
