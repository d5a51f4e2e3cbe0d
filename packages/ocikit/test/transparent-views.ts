// Views that show their registry unchanged.
import { trace as openTelemetry } from '@opentelemetry/api';

import type { Registry } from '../src/model/index.ts';
import { createMemoryRegistry } from '../src/stores/memory/index.ts';
import type { ContractTraits } from '../src/testing/index.ts';
import { accessChecker, debug, immutable, route, select, sub, trace } from '../src/views/index.ts';

/** A view that shows its registry unchanged, so that the contract holds for it. */
export interface TransparentView {
  /** Makes the view of an empty registry. */
  view: () => Registry;
  /** Properties in which the view differs. */
  traits?: ContractTraits;
  /** Whether to run the contract through a server too. */
  served?: boolean;
}

const tracer = openTelemetry.getTracer('contract');

/** By their names in titles. */
export const transparentViews: Readonly<Record<string, TransparentView>> = {
  sub: {
    view: () => sub(createMemoryRegistry(), 'teams/blue'),
    traits: { longestName: 255 - 'teams/blue/'.length },
    served: true,
  },
  'sub of sub': {
    view: () => sub(sub(createMemoryRegistry(), 'a'), 'a'),
    traits: { longestName: 251 },
  },
  'select, which allows all': { view: () => select(createMemoryRegistry(), async () => true), served: true },
  'accessChecker, which allows all': {
    view: () => accessChecker(createMemoryRegistry(), async () => undefined),
    served: true,
  },
  'route to one': { view: () => route({ '': createMemoryRegistry() }) },
  'route to two': {
    view: () => {
      const [even, odd] = [createMemoryRegistry(), createMemoryRegistry()];
      // Repositories of one case have to be in one registry, because a case mounts from one into another.
      const isOdd = (repository: string): boolean => (repository.split('/')[1] ?? '').charCodeAt(0) % 2 === 1;
      return route((repository) => (isOdd(repository) ? odd : even), { members: [even, odd] });
    },
    served: true,
  },
  debug: { view: () => debug(createMemoryRegistry(), () => undefined) },
  trace: { view: () => trace(createMemoryRegistry(), { tracer }) },
  immutable: { view: () => immutable(createMemoryRegistry()), traits: { immutableTags: true } },
  'immutable for other tags': { view: () => immutable(createMemoryRegistry(), { tags: () => false }) },
};
