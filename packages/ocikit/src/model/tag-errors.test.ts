import { describe, expect, test } from 'vitest';

import { digestOf } from './digest.ts';
import { immutableTag, immutableType, tagMoved } from './tag-errors.ts';

const [here, there] = [digestOf(new Uint8Array([1])), digestOf(new Uint8Array([2]))];

describe('the error of a tag that has moved', () => {
  test.each([
    [here, there, `tag v1 points to ${there}, but it must point to ${here}`],
    [here, undefined, `tag v1 does not exist, but it must point to ${here}`],
    [null, there, `tag v1 points to ${there}, but it must not exist`],
  ] as const)('says what was expected and what was found: %#', (expected, found, message) => {
    const error = tagMoved('v1', expected, found);
    expect(error).toMatchObject({ code: 'PRECONDITION_FAILED', message });
    expect(error.detail).toEqual({ tag: 'v1', expected, found });
  });
});

test('the errors of an immutable tag say what the tag points to', () => {
  expect(immutableTag('v1', here)).toMatchObject({ code: 'DENIED', detail: { tag: 'v1', found: here } });
  expect(immutableTag('v1', here).message).toContain(`points to ${here}`);
  expect(immutableType('v1', 'text/plain')).toMatchObject({ code: 'DENIED' });
  expect(immutableType('v1', 'text/plain').message).toContain('type text/plain');
});
