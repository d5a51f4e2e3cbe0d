import { describe, expect, test } from 'vitest';

import type { Descriptor, Digest, ManifestLinks } from '../../model/index.ts';

import { firstMissing } from './index.ts';

const digest = (i: number): Digest => `sha256:${String(i).padStart(64, '0')}`;
const descriptors = (count: number): Descriptor[] =>
  Array.from({ length: count }, (_, i) => ({ mediaType: 'a/b', digest: digest(i), size: 1 }));
const links = (parts: Partial<ManifestLinks>): ManifestLinks => ({
  blobs: [],
  manifests: [],
  subject: undefined,
  ...parts,
});

describe('firstMissing', () => {
  test('stops at the first missing blob, after few look-ups, at most 16 at a time', async () => {
    let running = 0;
    let most = 0;
    let asked = 0;
    const missing = await firstMissing(links({ blobs: descriptors(30_000) }), {
      async hasBlob(wanted) {
        asked++;
        most = Math.max(most, ++running);
        await Promise.resolve();
        running--;
        return wanted < digest(40) || wanted === digest(41);
      },
      hasManifest: () => true,
    });
    expect(missing?.digest).toBe(digest(40));
    expect(most).toBe(16);
    expect(asked).toBeLessThanOrEqual(48);
  });

  test.each([true, false])('asks once for each digest, and never for content with URLs (present: %s)', async (is) => {
    const asked: string[] = [];
    const blobs = [
      { mediaType: 'a/b', digest: digest(1), size: 1, urls: ['https://example.com/'] },
      ...Array.from({ length: 1000 }, () => ({ mediaType: 'a/b', digest: digest(2), size: 1 })),
    ];
    const look = (wanted: Digest): boolean => {
      asked.push(wanted);
      return is;
    };
    const missing = await firstMissing(links({ blobs }), { hasBlob: look, hasManifest: look });
    expect(asked).toEqual([digest(2)]);
    expect(missing?.digest).toBe(is ? undefined : digest(2));
  });

  test('looks for manifests after blobs, and passes a failure on', async () => {
    const all = links({ blobs: descriptors(3), manifests: descriptors(5) });
    expect(
      (await firstMissing(all, { hasBlob: () => true, hasManifest: (wanted) => wanted !== digest(4) }))?.digest,
    ).toBe(digest(4));
    const failing = { hasBlob: () => Promise.reject(new Error('the disk failed')), hasManifest: () => true };
    await expect(firstMissing(all, failing)).rejects.toThrow('the disk failed');
  });

  test('lets timers run while it looks for much content that is there', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await firstMissing(links({ blobs: descriptors(200_000) }), { hasBlob: () => true, hasManifest: () => true });
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});
