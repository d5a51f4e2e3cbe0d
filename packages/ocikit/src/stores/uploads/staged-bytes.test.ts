import { describe, expect, test } from 'vitest';

import { digestOf } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';
import { MemoryStage } from '../blobs/index.ts';
import type { BlobStage, StageDigest } from '../blobs/index.ts';

import { StagedBytes, stageVerified } from './staged-bytes.ts';

const mebibyte = 1024 * 1024;
const piece = new Uint8Array(mebibyte).fill(3);
const large = Buffer.concat(Array.from({ length: 6 }, () => piece));

/** A stage that computes digests by itself, and says how often it was asked to. */
function followingStage(found: (size: number) => Digest | undefined): {
  stage: BlobStage;
  asked: string[];
} {
  const asked: string[] = [];
  const stage: BlobStage = Object.assign(new MemoryStage(() => undefined), {
    follow(algorithm: string): StageDigest {
      asked.push(algorithm);
      return { digest: async (size) => found(size) };
    },
  });
  return { stage, asked };
}

async function fill(bytes: StagedBytes): Promise<void> {
  for (let i = 0; i < 6; i++) await bytes.append(piece);
}

describe('staged bytes', () => {
  test('are hashed as they come while they are few', async () => {
    const { stage, asked } = followingStage(() => 'sha256:of the stage');
    const bytes = new StagedBytes(stage, 'sha256');
    await bytes.append(piece);
    expect(await bytes.digest('sha256')).toBe(digestOf(piece));
    expect(asked).toEqual([]);
  });

  test('are hashed by a stage that can, when they are many', async () => {
    const { stage, asked } = followingStage((size) => (size === large.length ? digestOf(large) : undefined));
    const bytes = new StagedBytes(stage, 'sha256');
    await fill(bytes);
    expect(await bytes.digest('sha256')).toBe(digestOf(large));
    expect(asked).toEqual(['sha256']);
  });

  test('are read if the stage could not hash them, or another algorithm is asked for', async () => {
    const { stage } = followingStage(() => undefined);
    const bytes = new StagedBytes(stage, 'sha256');
    await fill(bytes);
    expect(await bytes.digest('sha256')).toBe(digestOf(large));
    expect(await bytes.digest('sha512')).toBe(digestOf(large, 'sha512'));
  });

  test('are hashed anew after some were taken back', async () => {
    const { stage, asked } = followingStage(() => undefined);
    const bytes = new StagedBytes(stage, 'sha256');
    await fill(bytes);
    await bytes.truncate(mebibyte);
    expect(await bytes.digest('sha256')).toBe(digestOf(piece));
    await bytes.append(large);
    expect(asked).toEqual(['sha256', 'sha256']);
    expect(await bytes.digest('sha256')).toBe(digestOf(Buffer.concat([piece, large])));
  });

  test('are hashed at once if they come in one piece, and read if there is more after all', async () => {
    const { stage, asked } = followingStage(() => undefined);
    const bytes = new StagedBytes(stage, 'sha256');
    expect(await bytes.digest('sha256')).toBe(digestOf(new Uint8Array()));
    await bytes.appendOnly(large);
    expect(asked).toEqual([]);
    expect(await bytes.digest('sha256')).toBe(digestOf(large));
    expect(await bytes.digest('sha512')).toBe(digestOf(large, 'sha512'));
    await bytes.append(piece);
    expect(await bytes.digest('sha256')).toBe(digestOf(Buffer.concat([large, piece])));
    await bytes.truncate(0);
    await bytes.append(piece);
    expect(await bytes.digest('sha256')).toBe(digestOf(piece));
  });

  test('go back to what was acknowledged if some cannot be kept', async () => {
    const stage = new MemoryStage(() => undefined);
    const bytes = new StagedBytes(stage, 'sha256');
    await bytes.append(piece);
    stage.append = async () => {
      throw new Error('the disk is full');
    };
    await expect(bytes.append(piece)).rejects.toThrow('the disk is full');
    expect(bytes.size).toBe(mebibyte);
    expect(await bytes.digest('sha256')).toBe(digestOf(piece));
  });
});

describe('a blob that is staged', () => {
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i++) yield piece;
  }
  const stage = (): BlobStage => new MemoryStage(() => undefined);

  test('is hashed by a stage that can from its first bytes on if it is known to be large', async () => {
    const { stage: following, asked } = followingStage((size) => (size === large.length ? digestOf(large) : undefined));
    async function* watched(): AsyncGenerator<Uint8Array> {
      for await (const each of pieces(6)) {
        yield each;
        expect(asked).toEqual(['sha256']);
      }
    }
    const expected = { digest: digestOf(large), size: large.length };
    expect(await stageVerified(following, expected, watched())).toBe(large.length);
  });

  test('has to have its digest and its size, be it small or large', async () => {
    const expected = { digest: digestOf(large), size: large.length };
    expect(await stageVerified(stage(), expected, pieces(6))).toBe(large.length);
    expect(await stageVerified(stage(), { digest: expected.digest }, pieces(6))).toBe(large.length);
    await expect(stageVerified(stage(), { digest: digestOf(piece) }, pieces(6))).rejects.toMatchObject({
      code: 'DIGEST_INVALID',
    });
    for (const count of [0, 5, 7]) {
      await expect(stageVerified(stage(), expected, pieces(count))).rejects.toMatchObject({ code: 'SIZE_INVALID' });
    }
  });
});
