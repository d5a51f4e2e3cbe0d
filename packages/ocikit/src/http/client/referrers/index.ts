// Lists of referrers, by the API and under tags.
export { ReferrersListings } from './known-listings.ts';
export { clientReferrers, loadReferrersTags } from './lazy.ts';
export { referrersTagsOf } from './tag-changes.ts';
