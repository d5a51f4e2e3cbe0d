import { array, assert, nat, option, property, record } from 'fast-check';
import { expect, test } from 'vitest';

import type { Digest } from '../../model/index.ts';

import { RemovalOrder } from './removal-order.ts';

const digestOf = (name: number | string): Digest => `sha256:${String(name).padStart(64, '0')}`;

interface Node {
  manifests?: number[];
  subject?: number;
}

function wavesOf(nodes: readonly Node[]): Digest[][] {
  const order = new RemovalOrder();
  const among = new Set(nodes.map((_, i) => digestOf(i)));
  for (const [i, { manifests = [], subject }] of nodes.entries()) {
    const named = {
      manifests: manifests.map(digestOf),
      subject: subject === undefined ? undefined : digestOf(subject),
    };
    order.add(digestOf(i), named, (digest) => among.has(digest));
  }
  return [...order.waves()];
}

test('a manifest goes after its parents and after its subject', () => {
  expect(wavesOf([{ manifests: [1, 2] }, {}, { manifests: [1] }, { subject: 0 }])).toEqual([
    [digestOf(0)],
    [digestOf(2), digestOf(3)],
    [digestOf(1)],
  ]);
});

test('an index whose subject is its own entry goes before that entry', () => {
  expect(wavesOf([{ manifests: [1], subject: 1 }, {}])).toEqual([[digestOf(0)], [digestOf(1)]]);
});

test('all manifests go, once, after their parents, whatever refers to what', () => {
  const nodes = array(
    record({
      manifests: array(nat(30), { maxLength: 4 }),
      subject: option(nat(30), { nil: undefined }),
    }),
    { maxLength: 20 },
  );
  assert(
    property(nodes, (drawn) => {
      // A manifest is made after the content that it names.
      const graph = drawn.map(({ manifests, subject }, i) => ({
        manifests: manifests.filter((other) => other > i),
        ...(subject === undefined ? {} : { subject }),
      }));
      const flat = wavesOf(graph).flat();
      expect(flat.toSorted()).toEqual(graph.map((_, i) => digestOf(i)).toSorted());
      for (const [i, { manifests }] of graph.entries()) {
        for (const child of manifests) {
          if (child >= graph.length) continue;
          expect(flat.indexOf(digestOf(i))).toBeLessThan(flat.indexOf(digestOf(child)));
        }
      }
    }),
  );
});
