import { describe, expect, test } from 'vitest';

import { inTurn, mediaTypes, parseManifest, parseManifestInTurn } from './index.ts';

describe('inTurn', () => {
  test('runs one work after the other, also after one that fails, and lets timers run between', async () => {
    const events: string[] = [];
    const work = (name: string) => async (): Promise<string> => {
      events.push(`${name} begins`);
      await Promise.resolve();
      events.push(`${name} ends`);
      if (name === 'b') throw new Error('b failed');
      setTimeout(() => events.push('a timer'), 0);
      return name;
    };
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => inTurn(work(name))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(events.slice(0, 7)).toEqual(['a begins', 'a ends', 'a timer', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});

describe('parseManifestInTurn', () => {
  const manifest = (count: number): Uint8Array => {
    const digest = `sha256:${'0'.repeat(64)}`;
    const entry = { mediaType: mediaTypes.imageManifest, digest, size: 1 };
    return new TextEncoder().encode(
      JSON.stringify({ schemaVersion: 2, manifests: Array.from({ length: count }, () => entry) }),
    );
  };

  test.each([1, 20_000])('gives the document of parseManifest for %d entries', async (count) => {
    const bytes = manifest(count);
    expect(await parseManifestInTurn(bytes, mediaTypes.imageIndex)).toEqual(
      parseManifest(bytes, mediaTypes.imageIndex),
    );
  });

  test('lets timers run while it parses a large one', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    await Promise.all(Array.from({ length: 5 }, () => parseManifestInTurn(manifest(30_000), mediaTypes.imageIndex)));
    clearInterval(timer);
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  test.each([
    ['['.repeat(40), 'the manifest nests deeper than 32 levels'],
    [`{"schemaVersion":2,"x":[${'0,'.repeat(1_000_000)}0]}`, 'the manifest has more than 150000 values'],
    ['"'.repeat(100_001), 'the manifest is not JSON in UTF-8'],
  ])('rejects %.30s… with the reason', async (text, message) => {
    const bytes = new TextEncoder().encode(text);
    await expect(parseManifestInTurn(bytes, mediaTypes.imageIndex)).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message,
    });
  });
});
