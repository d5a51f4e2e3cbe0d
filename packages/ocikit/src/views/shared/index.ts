// Shared by several views: forwarding, mapping, observing, lists.
export { forward, forwardMaintenance, forwardUpload, lists, reads } from './forward.ts';
export type { View } from './forward.ts';
export { Locks } from './locks.ts';
export { deletes, mapHistory, mapMaintenance, mapRepository, pushes, rule } from './map-repository.ts';
export type { Destination, RepositoryRule, RepositoryRules, UploadIdMapping } from './map-repository.ts';
export { mergedList } from './merged-list.ts';
export { kindOf, observe } from './observe.ts';
export type { ObservedCall, ObservedResult } from './observe.ts';
export { tagThatReaches } from './reached-by-tags.ts';
export { redacted } from './redacted.ts';
export { failingList, pushDenied } from './refusals.ts';
export { namesWhere, shownRepositories, sourceWithin, uploadsOfShown, withoutOrphans } from './shown-content.ts';
export { watchContent } from './watched-content.ts';
export { Wording } from './wording.ts';
