// HTTP as client and server both read and write it: paths, headers, bodies of errors, and `fetch`.
export * from './accept.ts';
export * from './challenges.ts';
export * from './content-length.ts';
export * from './entity-tags.ts';
export * from './errors.ts';
export * from './fetch.ts';
export * from './links.ts';
export * from './ranges.ts';
export * from './referrers-tags.ts';
export * from './routes.ts';
export * from './scope.ts';
export * from './upload-ids.ts';
export * from './upload-progress.ts';
export * from './warnings.ts';
