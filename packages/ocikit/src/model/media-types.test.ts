import { expect, test } from 'vitest';

import { manifestMediaType, manifestMediaTypes } from './manifest-media-types.ts';
import { mediaTypePattern, mediaTypes, parseMediaType } from './media-types.ts';

test.each(Object.values(mediaTypes))('%s is a media type as it stands', (mediaType) => {
  expect(parseMediaType(mediaType)).toBe(mediaType);
});

test.each([
  ['application/json', 'application/json'],
  ['application/json; charset=utf-8', 'application/json'],
  ['application/json;charset=utf-8;x=";"', 'application/json'],
  [' application/json ;', 'application/json'],
  ['Application/VND.OCI.Image.Manifest.v1+JSON', mediaTypes.imageManifest],
  ['a/b', 'a/b'],
  ['application/x!#$&^_.+-9', 'application/x!#$&^_.+-9'],
  [`a/${'b'.repeat(127)}`, `a/${'b'.repeat(127)}`],
])('of the Content-Type %j, %j is the media type', (text, mediaType) => {
  expect(parseMediaType(text)).toBe(mediaType);
});

test.each([
  '',
  ';',
  'json',
  '/json',
  'application/',
  'application//json',
  'application/json/x',
  'application /json',
  'application/json, text/plain',
  '*/*',
  'application/*',
  '-a/b',
  'a/.b',
  'application/jsön',
  'application/json\u0000',
  `a/${'b'.repeat(128)}`,
  `${'a'.repeat(128)}/b`,
])('%j is not a media type', (text) => {
  expect(parseMediaType(text)).toBeUndefined();
});

test('the grammar is that of a bare media type', () => {
  expect(mediaTypePattern.test('application/json')).toBe(true);
  expect(mediaTypePattern.test('application/json; charset=utf-8')).toBe(false);
  expect(mediaTypePattern.test('application/json\n')).toBe(false);
});

test.each([
  ['text/html', mediaTypes.octetStream],
  ['Text/HTML; charset=utf-8', mediaTypes.octetStream],
  ['image/svg+xml', mediaTypes.octetStream],
  ['text/plain', mediaTypes.octetStream],
  ['multipart/form-data', mediaTypes.octetStream],
  ['application/xhtml+xml', mediaTypes.octetStream],
  ['application/xml', mediaTypes.octetStream],
  ['application/xml; charset=utf-8', mediaTypes.octetStream],
  ['application/vnd.mozilla.xul+xml', mediaTypes.octetStream],
  ['application/xml-external-parsed-entity', mediaTypes.octetStream],
  ['application/javascript', mediaTypes.octetStream],
  ['application/x-javascript', mediaTypes.octetStream],
  ['application/pdf', mediaTypes.octetStream],
  ['application/', mediaTypes.octetStream],
  ['application/json\r\nX-Injected: 1', mediaTypes.octetStream],
  ['application/json, text/html', mediaTypes.octetStream],
  ['', mediaTypes.octetStream],
  ['no type', mediaTypes.octetStream],
  ['application/json', 'application/json'],
  ['application/JSON; charset=utf-8', 'application/json'],
  ['application/vnd.oci.image.manifest.v1+json; charset=utf-8', mediaTypes.imageManifest],
  [
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
    'application/vnd.docker.distribution.manifest.v1+prettyjws',
  ],
  ...manifestMediaTypes.map((mediaType) => [mediaType, mediaType]),
])('a manifest that is said to be %j is stored and served as %s', (said, mediaType) => {
  expect(manifestMediaType(said)).toBe(mediaType);
});
