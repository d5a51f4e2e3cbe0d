import { describe, expect, test } from 'vitest';

import { mediaTypes } from '../../model/index.ts';

import { accepts } from './accept.ts';

const image = mediaTypes.imageManifest;
const docker = mediaTypes.dockerManifest;

describe('an OCI image manifest', () => {
  test.each([
    ['nothing at all', undefined],
    ['an empty header', ''],
    ['a blank header', '  '],
    ['everything', '*/*'],
    ['everything of its type', 'application/*'],
    ['itself', image],
    ['itself in other letters', image.toUpperCase()],
    ['itself among others', `${docker}, ${image}`],
    ['itself among others, without blanks', `${docker},${image},text/plain`],
    ['itself with parameters', `${image}; version=1; charset=utf-8`],
    ['itself with the least weight', `${image};q=0.001`],
    ['itself with full weight', `${image};q=1.000`],
    ['itself with blanks around everything', `  text/plain ,\t${image} ; q=0.5 `],
    ['JSON, as clients ask for it that know no better', 'application/json'],
    ['JSON among others', 'text/html, application/json;q=0.9'],
    ['itself, although nothing else', `${image}, */*;q=0`],
    ['itself, although nothing of its type', `application/*;q=0, ${image};q=0.1`],
    ['everything of its type, although not everything', '*/*;q=0, application/*'],
    ['JSON, although not everything of its type', 'application/*;q=0, application/json'],
    ['itself, although not JSON', `application/json;q=0, ${image}`],
    ['itself once, although not once more', `${image};q=0, ${image}`],
    ['itself, with an empty entry beside it', `,${image},,`],
  ])('is sent to a client that accepts %s', (_what, header) => {
    expect(accepts(header, image)).toBe(true);
  });

  test.each([
    ['another type', docker],
    ['a type of which it begins with', image.slice(0, -1)],
    ['a type that begins with it', `${image}x`],
    ['everything of another type', 'text/*'],
    ['a range that is none', '*'],
    ['a range that is none either', '*/json'],
    ['a part of its name', 'application/vnd.oci.*'],
    ['nothing', '*/*;q=0'],
    ['nothing, written out', '*/*; q=0.000'],
    ['nothing, with blanks', '*/* ; Q = 0.0'],
    ['everything but itself', `*/*, ${image};q=0`],
    ['everything but itself, in another order', `${image};q=0,*/*;q=1`],
    ['everything but what is of its type', '*/*, application/*;q=0'],
    ['everything of its type but JSON', 'application/*, application/json;q=0'],
    ['JSON, but not itself', `application/json, ${image};q=0.0`],
    ['empty entries alone', ', ,'],
  ])('is not sent to a client that accepts %s', (_what, header) => {
    expect(accepts(header, image)).toBe(false);
  });
});

test('application/json accepts only types that end with +json', () => {
  expect(accepts('application/json', 'application/json')).toBe(true);
  expect(accepts('application/json', docker)).toBe(true);
  expect(accepts('application/json', 'application/octet-stream')).toBe(false);
  expect(accepts('application/json', 'application/jsonp')).toBe(false);
});

test('a weight of more than 0 accepts the type', () => {
  for (const weight of ['0.1', '0.01', '0.001', '0.5']) expect(accepts(`*/*;q=${weight}`, image)).toBe(true);
});

test('a parameter with a name that only ends with q is no weight', () => {
  expect(accepts('*/*;seq=0', image)).toBe(true);
});
