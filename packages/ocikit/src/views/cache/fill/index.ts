// Downloads into the store of a cache, and their readers.
export { Fills } from './fills.ts';
