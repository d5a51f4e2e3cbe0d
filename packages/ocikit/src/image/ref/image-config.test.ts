import { expect, test } from 'vitest';

import { mediaTypes } from '../../model/index.ts';

import { contentOf, createImage, jsonContent, platformOf, readConfig } from '../index.ts';
import type { Image } from '../index.ts';

const platform = { os: 'linux', architecture: 'arm64' };
const rootfs = { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] };

const imageOf = (value: object, mediaType: string = mediaTypes.imageConfig): Image =>
  createImage({ config: jsonContent(value, mediaType) });

test.each([mediaTypes.imageConfig, mediaTypes.dockerConfig])('a config of %s is read', async (mediaType) => {
  const value = {
    ...platform,
    rootfs,
    config: { Cmd: ['sh'], Env: ['A=b'] },
    history: [{ empty_layer: true }],
    more: 1,
  };
  expect(await readConfig(imageOf(value, mediaType))).toEqual(value);
});

test('fields that are null in a config are left out', async () => {
  const value = { ...platform, rootfs: { type: 'layers' }, variant: null, 'os.features': null, history: null };
  expect(await readConfig(imageOf(value))).toEqual({ ...platform, rootfs: { type: 'layers', diff_ids: [] } });
});

test.each([
  ['architecture', { os: 'linux', rootfs }],
  ['os', { ...platform, os: 1, rootfs }],
  ['variant', { ...platform, variant: {}, rootfs }],
  ['os.version', { ...platform, 'os.version': 10, rootfs }],
  ['os.features', { ...platform, 'os.features': 'win32k', rootfs }],
  ['rootfs', platform],
  ['rootfs', { ...platform, rootfs: { diff_ids: [1] } }],
])('a malformed %s is refused', async (field, value) => {
  await expect(readConfig(imageOf(value))).rejects.toMatchObject({ code: 'MANIFEST_INVALID', detail: { field } });
});

test.each(['', '[]', 'null', '"text"', '{'])('a config that is %s is refused', async (text) => {
  const config = contentOf(new TextEncoder().encode(text), mediaTypes.imageConfig);
  await expect(readConfig(createImage({ config }))).rejects.toMatchObject({ code: 'MANIFEST_INVALID' });
});

test('a config that is larger than the limit is refused', async () => {
  const image = imageOf({ ...platform, rootfs });
  await expect(readConfig(image, { limit: 10 })).rejects.toMatchObject({ code: 'CONTENT_TOO_LARGE' });
});

test('an image that is no container image has no config and no platform', async () => {
  const image = createImage({ artifactType: 'a/b' });
  await expect(readConfig(image)).rejects.toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
  expect(await platformOf(image)).toBeUndefined();
});

test('the platform is the config’s, in Go’s names', async () => {
  const windows = { os: 'windows', architecture: 'x86_64', 'os.version': '10.0.17763.1', rootfs };
  expect(await platformOf(imageOf(windows))).toEqual({
    os: 'windows',
    architecture: 'amd64',
    'os.version': '10.0.17763.1',
  });
  expect(await platformOf(imageOf({ os: 'linux', architecture: 'arm', variant: '6', rootfs }))).toEqual({
    os: 'linux',
    architecture: 'arm',
    variant: 'v6',
  });
});
