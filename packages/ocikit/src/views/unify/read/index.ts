// Reads, tags and lists of a unified registry.
export type { ReadOrder } from './first-answer.ts';
export { unifiedLister } from './lister.ts';
export { contentReader, tagReader } from './reader.ts';
export type { ContentReader } from './reader.ts';
export { tagFinder } from './tags.ts';
export type { TagConflict } from './tags.ts';
