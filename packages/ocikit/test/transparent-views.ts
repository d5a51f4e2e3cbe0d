import { trace as openTelemetry } from '@opentelemetry/api';

import type { Registry } from '../src/model/index.ts';
import { createMemoryRegistry } from '../src/stores/memory/index.ts';
import type { ContractTraits } from '../src/testing/index.ts';
import { accessChecker, debug, immutable, route, select, sub, trace } from '../src/views/index.ts';

/** A view through which one sees what there is inside. */
export interface TransparentView {
  view: () => Registry;
  traits?: ContractTraits;
  /** Whether the contract is run through the server as well. */
  served?: boolean;
}

const tracer = openTelemetry.getTracer('contract');

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
      // Where a case mounts from one repository into another they have to be in one registry.
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
