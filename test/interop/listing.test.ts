import { beforeAll, describe, expect, test } from 'vitest';

import { describeWith } from './clients.ts';
import { useCrane } from './crane.ts';
import { useOras } from './oras.ts';
import { usePodman } from './podman.ts';
import { useRegctl } from './regctl.ts';
import { useRegistry } from './server.ts';
import { useSkopeo } from './skopeo.ts';

const count = 1200;
const names = Array.from({ length: count }, (_, i) => `n${String(i).padStart(4, '0')}`);
const mediaType = 'application/vnd.oci.image.index.v1+json';
const emptyIndex = JSON.stringify({ schemaVersion: 2, mediaType, manifests: [] });

const registry = useRegistry();

async function putEach(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const response = await registry.fetch(path, {
      method: 'PUT',
      headers: { 'content-type': mediaType },
      body: emptyIndex,
    });
    if (response.status !== 201) throw new Error(`PUT ${path}: HTTP ${response.status}\n${await response.text()}`);
  }
}

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Lists page by page, with this many names on a page, as a client with `--last` and `--limit` does. */
async function pages(size: number, page: (last: string) => Promise<string[]>): Promise<string[][]> {
  const all: string[][] = [];
  for (let last = ''; ;) {
    const found = await page(last);
    all.push(found);
    if (found.length < size) return all;
    last = found.at(-1) ?? '';
  }
}

describe(`a repository of ${count} tags`, () => {
  beforeAll(() => putEach(names.map((tag) => `tagged/manifests/${tag}`)));

  describeWith(['crane'], 'with crane', () => {
    const crane = useCrane();
    test('is listed completely and in order', async () => {
      expect(lines((await crane.run('ls', registry.reference('tagged'))).stdout)).toEqual(names);
    });
  });

  describeWith(['skopeo'], 'with skopeo', () => {
    const skopeo = useSkopeo();
    test('is listed completely and in order', async () => {
      const { stdout } = await skopeo.run(
        'list-tags',
        '--tls-verify=false',
        `docker://${registry.reference('tagged')}`,
      );
      expect(JSON.parse(stdout)).toMatchObject({ Tags: names });
    });
  });

  describeWith(['podman'], 'with podman', () => {
    const podman = usePodman();
    test('is listed completely and in order', async () => {
      const all = ['--list-tags', '--limit', '5000', '--tls-verify=false'];
      const { stdout } = await podman.run('search', ...all, registry.reference('tagged'));
      expect(stdout.match(/\S+$/gm)?.slice(1)).toEqual(names);
    });
  });

  describeWith(['regctl'], 'with regctl', () => {
    const regctl = useRegctl();
    test('is listed completely and in order', async () => {
      expect(lines((await regctl.run('tag', 'ls', registry.reference('tagged'))).stdout)).toEqual(names);
    });

    test('is listed in pages of 500', async () => {
      const found = await pages(500, async (last) => {
        const page = ['tag', 'ls', '--limit', '500', '--last', last];
        return lines((await regctl.run(...page, registry.reference('tagged'))).stdout);
      });
      expect(found.map((page) => page.length)).toEqual([500, 500, 200]);
      expect(found.flat()).toEqual(names);
    });
  });

  describeWith(['oras'], 'with oras', () => {
    const oras = useOras();
    test('is listed completely and in order', async () => {
      const { stdout } = await oras.run('tags', registry.reference('tagged'));
      expect(JSON.parse(stdout)).toEqual(names);
    });
  });
});

describe(`a registry of ${count} repositories`, () => {
  const repositories = (): string[] => names.map((name) => `${registry.namespace}/many/${name}`);
  const among = (found: readonly string[]): string[] => found.filter((name) => name.includes('/many/'));
  beforeAll(() => putEach(names.map((name) => `many/${name}/manifests/1`)));

  describeWith(['crane'], 'with crane', () => {
    const crane = useCrane();
    test('is listed completely and in order', async () => {
      const { stdout } = await crane.run('catalog', registry.host);
      expect(among(lines(stdout))).toEqual(repositories());
    });
  });

  describeWith(['regctl'], 'with regctl', () => {
    const regctl = useRegctl();
    test('is listed in pages of 500', async () => {
      const found = await pages(500, async (last) => {
        const { stdout } = await regctl.run('repo', 'ls', '--limit', '500', '--last', last, registry.host);
        return lines(stdout);
      });
      expect(among(found.flat())).toEqual(repositories());
    });
  });
});
