export * from './accept.ts';
export * from './entity-tags.ts';
export * from './errors.ts';
export * from './links.ts';
export * from './ranges.ts';
export * from './routes.ts';
export * from './upload-ids.ts';
export * from './warnings.ts';
