export { readIndex } from './index-file.ts';
export { Layout } from './layout.ts';
export { sharedNames, singleNames } from './names.ts';
