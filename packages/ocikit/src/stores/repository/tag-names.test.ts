import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { TagNames } from './tag-names.ts';

test('behaves as a Set, whatever is added and deleted', () => {
  const steps = fc.array(fc.tuple(fc.boolean(), fc.constantFrom('a', 'b', 'c', 'd')));
  fc.assert(
    fc.property(steps, (all) => {
      const names = new TagNames();
      const model = new Set<string>();
      for (const [adds, tag] of all) {
        if (adds) [names, model].forEach((set) => set.add(tag));
        else [names, model].forEach((set) => set.delete(tag));
        expect(names.size).toBe(model.size);
        expect([...names].toSorted()).toEqual([...model].toSorted());
      }
    }),
  );
});
