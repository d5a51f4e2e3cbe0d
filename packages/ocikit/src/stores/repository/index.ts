export * from './leases.ts';
export * from './page.ts';
export * from './pushed-manifest.ts';
export * from './refusals.ts';
export * from './report-bytes.ts';
export * from './repository-index.ts';
export * from './sorted-names.ts';
export * from './tag-names.ts';
