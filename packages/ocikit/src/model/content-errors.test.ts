import { describe, expect, test } from 'vitest';

import {
  blobUnknown,
  isBlobUnknown,
  isManifestUnknown,
  manifestUnknown,
  nameUnknown,
  wrongOffset,
  wrongSize,
} from './content-errors.ts';
import { digestOf } from './digest.ts';
import { RegistryError } from './errors.ts';

const digest = digestOf(new Uint8Array());

describe('the error of missing content', () => {
  test('names the repository, and the blob or manifest', () => {
    expect(nameUnknown('team/app')).toMatchObject({
      code: 'NAME_UNKNOWN',
      message: 'repository team/app is not known',
      detail: { name: 'team/app' },
    });
    expect(blobUnknown('team/app', digest)).toMatchObject({
      code: 'BLOB_UNKNOWN',
      message: `team/app has no blob ${digest}`,
      detail: { digest },
    });
    expect(manifestUnknown('team/app', 'v1')).toMatchObject({
      code: 'MANIFEST_UNKNOWN',
      message: 'team/app has no manifest v1',
      detail: { reference: 'v1' },
    });
  });
});

describe('an error of missing content', () => {
  test('is recognised, be it the content, the repository or a status without a code', () => {
    for (const error of [nameUnknown('a'), new RegistryError('NOT_FOUND', 'none')]) {
      expect(isBlobUnknown(error)).toBe(true);
      expect(isManifestUnknown(error)).toBe(true);
    }
    expect(isBlobUnknown(blobUnknown('a', digest))).toBe(true);
    expect(isManifestUnknown(manifestUnknown('a', 'v1'))).toBe(true);
  });

  test('is told apart from other errors', () => {
    for (const error of [new RegistryError('DENIED', 'no'), new TypeError('no'), undefined]) {
      expect(isBlobUnknown(error)).toBe(false);
      expect(isManifestUnknown(error)).toBe(false);
    }
    expect(isBlobUnknown(manifestUnknown('a', 'v1'))).toBe(false);
    expect(isManifestUnknown(blobUnknown('a', digest))).toBe(false);
  });
});

describe('the error of a wrong size', () => {
  test('says how many bytes were announced and how many there are', () => {
    expect(wrongSize(digest, 3, 2)).toMatchObject({
      code: 'SIZE_INVALID',
      message: `the content of ${digest} ended after 2 bytes, but 3 were announced`,
      detail: { expected: 3, found: 2 },
    });
  });

  test('does not say how many bytes too large content has, as reading stopped before its end', () => {
    expect(wrongSize(undefined, 3, 4)).toMatchObject({
      message: 'the content is longer than the 3 bytes that were announced',
      detail: { expected: 3, found: 4 },
    });
  });
});

test('the error of a wrong offset says where the upload continues', () => {
  expect(wrongOffset(7, 5)).toMatchObject({
    code: 'RANGE_INVALID',
    message: 'the upload has 5 bytes: continue at byte 5, not at byte 7',
    detail: { size: 5 },
  });
});
