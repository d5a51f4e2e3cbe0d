// The parts that every store of repositories shares: indexes, lists, leases and refusals.
export { blobUnknown, manifestUnknown, nameUnknown, tagMoved } from '../../model/index.ts';
export * from './leases.ts';
export * from './missing-link.ts';
export * from './page.ts';
export * from './pushed-manifest.ts';
export * from './recent.ts';
export * from './referrers.ts';
export * from './refusals.ts';
export * from './report-bytes.ts';
export * from './repository-index.ts';
export * from './sorted-names.ts';
export * from './tag-names.ts';
