// One image layout: its index.json, the snapshot beside it, and the changes on top.
export { sharedNames, singleNames } from './entry-names.ts';
export { readIndex } from './index-file.ts';
export { Layout } from './layout.ts';
