import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { digestOf, ParseError } from '../../model/index.ts';

import { findLayout } from './find-layout.ts';

const digest = digestOf(new Uint8Array());
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocikit-find-'));
});
afterEach(() => rm(dir, { recursive: true }));

async function mark(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(join(dir, path), { recursive: true });
    await writeFile(join(dir, path, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }
}

describe('a path with a layout in it', () => {
  test.each([
    ['', undefined],
    [`@${digest}`, { digest }],
    [':v1', { tag: 'v1' }],
    [`:v1@${digest}`, { tag: 'v1', digest }],
    ['/app', { repository: 'app' }],
    ['/app:v1', { repository: 'app', tag: 'v1' }],
    ['/library/app:v1', { repository: 'library/app', tag: 'v1' }],
    [`/library/app@${digest}`, { repository: 'library/app', digest }],
    [`/library/app:v1@${digest}`, { repository: 'library/app', tag: 'v1', digest }],
  ])('is the layout, and what follows it is the reference: %s', async (rest, reference) => {
    await mark('images');
    const found = findLayout(`${dir}/images${rest}`);
    expect(found.dir).toBe(`${dir}/images`);
    expect(found.reference === undefined ? undefined : { ...found.reference }).toEqual(reference);
  });

  test('is the deepest one', async () => {
    await mark('images', 'images/library');
    expect(findLayout(`${dir}/images/library/app:v1`)).toMatchObject({
      dir: `${dir}/images/library`,
      reference: { repository: 'app', tag: 'v1' },
    });
  });

  test('is one further up if what follows the deepest is no reference', async () => {
    await mark('images', 'images/a');
    expect(() => findLayout(`${dir}/images/a/NOT`)).toThrow(ParseError);
  });
});

describe('a path without a layout in it', () => {
  test.each([
    ['images/app:v1', 'images', { repository: 'app', tag: 'v1' }],
    ['/images/app', '/images', { repository: 'app' }],
    ['app:v1', '.', { repository: 'app', tag: 'v1' }],
    ['./app:v1', '.', { repository: 'app', tag: 'v1' }],
    [`a/b@${digest}`, 'a', { repository: 'b', digest }],
    [`a/b:v1@${digest}`, 'a', { repository: 'b', tag: 'v1', digest }],
    ['/app', '/', { repository: 'app' }],
  ])('has its reference at the end: %s', (path, base, reference) => {
    const found = findLayout(path);
    expect(found.dir).toBe(base);
    expect(found.reference).toMatchObject(reference);
  });

  test.each(['images/APP', 'images/app:', 'images/app:v1@sha256:x', ''])('is refused if that is none: %j', (path) => {
    expect(() => findLayout(path)).toThrow(ParseError);
  });
});
