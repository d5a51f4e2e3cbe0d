import { blobContent } from './contract/blob-content.ts';
import { pushingBlobs, readingBlobs } from './contract/blobs.ts';
import type { DefineGroup } from './contract/case.ts';
import { concurrency } from './contract/concurrency.ts';
import { deletingBlobs, deletingManifests, deletingTags, emptyingRepositories } from './contract/deletes.ts';
import { events } from './contract/events.ts';
import { moving } from './contract/history.ts';
import { listingRepositories, listingTags } from './contract/lists.ts';
import {
  lacksMaintenance,
  lookingAt,
  maintaining,
  malformedMaintenance,
  quarantining,
  verifying,
} from './contract/maintenance.ts';
import { incompleteManifests, refusedManifests } from './contract/manifest-errors.ts';
import { pushingManifests, readingManifests } from './contract/manifests.ts';
import { failingMounts, mounting } from './contract/mounts.ts';
import { malformedArguments } from './contract/names.ts';
import { officialGroups } from './contract/official.ts';
import { readingRanges } from './contract/ranges.ts';
import { readOnly } from './contract/read-only.ts';
import { changingReferrers, listingReferrers } from './contract/referrers.ts';
import { removingUnused } from './contract/removing.ts';
import { signals } from './contract/signals.ts';
import { tagConditions } from './contract/tag-conditions.ts';
import { immutableTags, tagging } from './contract/tags.ts';
import { failingUploads } from './contract/upload-failures.ts';
import { endingUploads, resumingUploads } from './contract/upload-life.ts';
import { uploading } from './contract/uploads.ts';
import type { ContractGroup, ContractSubject } from './subject.ts';

const groups: readonly DefineGroup[] = [
  pushingBlobs,
  readingBlobs,
  readingRanges,
  blobContent,
  uploading,
  failingUploads,
  resumingUploads,
  endingUploads,
  mounting,
  failingMounts,
  pushingManifests,
  readingManifests,
  refusedManifests,
  incompleteManifests,
  tagging,
  tagConditions,
  immutableTags,
  listingTags,
  listingRepositories,
  listingReferrers,
  changingReferrers,
  deletingBlobs,
  deletingManifests,
  deletingTags,
  emptyingRepositories,
  malformedArguments,
  signals,
  events,
  concurrency,
  lacksMaintenance,
  maintaining,
  lookingAt,
  verifying,
  quarantining,
  removingUnused,
  moving,
  malformedMaintenance,
  readOnly,
  ...officialGroups,
];

/**
 * What every registry has to do, as cases that any test runner can run: the documentation of the `Registry` interface
 * as a program, and the counterpart of the distribution specification's conformance suite.
 *
 * @example
 * for (const { name, cases } of registryContract(subject)) {
 *   for (const each of cases) {
 *     if (each.leftOut === undefined) await each.run();
 *     else report(`${name} ${each.name}: left out, because ${each.leftOut}`);
 *   }
 * }
 */
export function registryContract(subject: ContractSubject): ContractGroup[] {
  return groups.map((define) => define(subject));
}

/** The part of a test runner that is needed: `vitest`, `node:test`, `bun:test`, mocha and Deno's `@std/testing/bdd` have it. */
export interface TestRunner {
  describe: (name: string, define: () => void) => unknown;
  it: (name: string, run: () => Promise<void>) => unknown;
}

/**
 * Runs the contract as tests of a runner: all that applies to a subject of these traits. What does not, and why, is what
 * {@link registryContract} tells.
 *
 * @example
 * import { describe, it } from 'node:test';
 * import { describeRegistry } from 'ocikit/testing';
 *
 * describeRegistry({ describe, it }, 'my store', {
 *   create: async () => ({ registry: createMyStore() }),
 *   traits: { lacks: ['maintenance'] },
 * });
 */
export function describeRegistry(runner: TestRunner, name: string, subject: ContractSubject): void {
  const { describe, it } = runner;
  describe(name, () => {
    for (const group of registryContract(subject)) {
      const cases = group.cases.filter(({ leftOut }) => leftOut === undefined);
      if (cases.length === 0) continue;
      describe(group.name, () => {
        for (const { name: sentence, run } of cases) it(sentence, () => run());
      });
    }
  });
}
