// Lists of referrers, by the API and under tags.
export { ReferrersListings } from './known-listings.ts';
export { clientReferrers, loadReferrersTags } from './lazy.ts';
export type { ReferrersTags } from './tag-changes.ts';
