import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, test } from 'vitest';

import type { Registry } from '../../../model/index.ts';
import { diskBlobs } from '../../../stores/blobs/node.ts';
import { createMemoryRegistry } from '../../../stores/memory/index.ts';

import { describeRegistry } from '../../index.ts';

const dirOf = new WeakMap<Registry, string>();

describeRegistry({ describe, it: test }, 'the memory registry with its blobs on disk', {
  create: async () => {
    const dir = await mkdtemp(join(tmpdir(), 'ocikit-contract-'));
    const registry = createMemoryRegistry({ blobs: diskBlobs(dir) });
    dirOf.set(registry, dir);
    return { registry, close: () => rm(dir, { recursive: true }) };
  },
  damage: async (registry, _repository, digest) => {
    const [algorithm = '', encoded = ''] = digest.split(':');
    const path = join(dirOf.get(registry) ?? '', algorithm, encoded);
    const { size } = await stat(path);
    // The size stays, so that only the digest tells the damage.
    await writeFile(path, 'x'.repeat(size));
  },
});
