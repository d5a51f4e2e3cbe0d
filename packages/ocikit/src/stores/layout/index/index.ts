export { sharedNames, singleNames } from './entry-names.ts';
export { readIndex } from './index-file.ts';
export { Layout } from './layout.ts';
