export * from './repository-index.ts';
export * from './sorted-names.ts';
