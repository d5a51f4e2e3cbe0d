import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isTag } from '../../model/index.ts';
import type { Digest } from '../../model/index.ts';

import { referrersTag } from './index.ts';

const hex = 'aaaabbbbccccdddd'.repeat(8);

describe('the tag of referrers', () => {
  test.each<[Digest, string]>([
    [`sha256:${hex.slice(0, 64)}`, `sha256-${hex.slice(0, 64)}`],
    // A longer digest is cut.
    [`sha512:${hex}`, `sha512-${hex.slice(0, 64)}`],
    [
      'test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+truncation:alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation',
      'test-algorithm-using-algorithm-s-alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot',
    ],
  ])('of %s is %s', (digest, tag) => {
    expect(referrersTag(digest)).toBe(tag);
  });

  test('is a tag, whatever the digest', () => {
    const algorithm = fc.stringMatching(/^[a-z0-9]+(?:[+._-][a-z0-9]+)*$/);
    const encoded = fc.stringMatching(/^[a-zA-Z0-9=_-]+$/);
    fc.assert(fc.property(algorithm, encoded, (name, text) => isTag(referrersTag(`${name}:${text}`))));
  });
});
