// A registry that has been closed: reads fail as writes do, whether this process wrote or only read.
import { describe, expect, test } from 'vitest';

import { temporaryDirectory } from '../../../test/temporary-directory.ts';
import { collect, digestOf, historyOf, maintenanceOf } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';
import { imageOf, pushContent } from '../../testing/index.ts';

import { openLayout, openLayouts } from './index.ts';

const image = imageOf();
const { digest } = image.descriptor;
const blob = image.blobs[0]?.descriptor.digest ?? digest;

async function* none(): AsyncGenerator<never> {}

const calls: Readonly<Record<string, (registry: Registry) => Promise<unknown>>> = {
  getBlob: (registry) => registry.getBlob('a', blob),
  getManifest: (registry) => registry.getManifest('a', digest),
  getTag: (registry) => registry.getTag('a', 'v1'),
  resolveBlob: (registry) => registry.resolveBlob('a', blob),
  resolveManifest: (registry) => registry.resolveManifest('a', digest),
  resolveTag: (registry) => registry.resolveTag('a', 'v1'),
  'resolveTag of an unknown repository': (registry) => registry.resolveTag('unknown', 'v1'),
  repositories: (registry) => collect(registry.repositories()),
  tags: (registry) => collect(registry.tags('a')),
  referrers: (registry) => collect(registry.referrers('a', digest)),
  history: (registry) => collect(historyOf(registry)?.moves('a') ?? none()),
  blobs: (registry) => collect(maintenanceOf(registry)?.blobs('a') ?? none()),
  pushBlob: (registry) => registry.pushBlob('a', { digest: digestOf(new Uint8Array(3)) }, new Uint8Array(3)),
  deleteTag: (registry) => registry.deleteTag('a', 'v1'),
};

describe.each([
  ['openLayout', openLayout],
  ['openLayouts', openLayouts],
])('a registry of %s that has been closed', (_name, open) => {
  test.each(['wrote', 'only read'])('refuses all calls in a process that %s', async (what) => {
    const directory = await temporaryDirectory();
    const writing = open(directory, { durability: 'none' });
    await pushContent(writing, 'a', image, { tags: ['v1'] });
    const reading = open(directory, { durability: 'none' });
    expect((await reading.getTag('a', 'v1')).descriptor.digest).toBe(digest);
    const content = await writing.getBlob('a', blob);
    await Promise.all([writing.close(), reading.close()]);
    const closed = what === 'wrote' ? writing : reading;
    for (const [name, call] of Object.entries(calls)) {
      const failed = expect(call(closed), name).rejects;
      await failed.toMatchObject({ code: 'UNAVAILABLE', message: 'the registry has been closed' });
    }
    // A content that was opened before is still read.
    expect((await content.bytes()).length).toBeGreaterThan(0);
  });
});
