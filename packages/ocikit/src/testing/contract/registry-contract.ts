// All groups of the contract, in order.
import type { ContractGroup, ContractTarget, DefineGroup } from '../cases/index.ts';
import { officialGroups } from '../conformance/index.ts';

import { blobContent } from './blob-content.ts';
import { pushingBlobs, readingBlobs } from './blobs.ts';
import { concurrency } from './concurrency.ts';
import { deletingBlobs, deletingManifests, deletingTags, emptyingRepositories } from './deletes.ts';
import { events } from './events.ts';
import { moving } from './history.ts';
import { listingRepositories, listingTags } from './lists.ts';
import {
  lacksMaintenance,
  readingForMaintenance,
  maintaining,
  malformedMaintenance,
  quarantining,
  verifying,
} from './maintenance.ts';
import { malformedArguments } from './malformed-arguments.ts';
import { incompleteManifests, refusedManifests } from './manifest-errors.ts';
import { pushingManifests, readingManifests } from './manifests.ts';
import { failingMounts, mounting } from './mounts.ts';
import { readingRanges } from './ranges.ts';
import { readOnly } from './read-only.ts';
import { changingReferrers, listingReferrers } from './referrers.ts';
import { removingUnused } from './removing.ts';
import { signals } from './signals.ts';
import { tagConditions } from './tag-conditions.ts';
import { immutableTags, tagging } from './tags.ts';
import { failingUploads } from './upload-failures.ts';
import { endingUploads, resumingUploads } from './upload-life.ts';
import { uploading } from './uploads.ts';

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
  readingForMaintenance,
  verifying,
  quarantining,
  removingUnused,
  moving,
  malformedMaintenance,
  readOnly,
  ...officialGroups,
];

/**
 * The contract of the `Registry` interface, as cases for any test runner, with the counterpart of the distribution
 * specification's conformance suite. {@link describeRegistry} hands them to a test runner.
 *
 * @returns all groups, with the cases that do not apply to the target
 *
 * @example
 * for (const { name, cases } of registryContract({ create: async () => ({ registry: createMyStore() }) })) {
 *   for (const each of cases) {
 *     if (each.leftOut === undefined) await each.run();
 *     else report(`${name} ${each.name}: left out, because ${each.leftOut}`);
 *   }
 * }
 */
export function registryContract(target: ContractTarget): ContractGroup[] {
  return groups.map((define) => define(target));
}
