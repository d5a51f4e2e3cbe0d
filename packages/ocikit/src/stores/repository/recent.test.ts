import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { Recent } from './recent.ts';

test('has the last so many keys, at most twice as many, and of each the last value', () => {
  const keys = fc.array(fc.nat({ max: 40 }), { maxLength: 200 });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 12 }), (all, least) => {
      const recent = new Recent<number, number>(least);
      const last = new Map<number, number>();
      for (const [i, key] of all.entries()) {
        recent.set(key, i);
        last.delete(key);
        last.set(key, i);
        const newest = [...last].toReversed();
        for (const [kept, value] of newest.slice(0, least)) expect(recent.get(kept)).toBe(value);
        expect(newest.filter(([kept]) => recent.get(kept) !== undefined).length).toBeLessThanOrEqual(2 * least);
        for (const [kept, value] of newest) expect([value, undefined]).toContain(recent.get(kept));
      }
    }),
  );
});
