import { expect, test } from 'vitest';

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
