export {
  Files,
  assertInside,
  entriesOf,
  formatIdentity,
  hasCode,
  identityOf,
  isMissing,
  isTemporary,
  readWhole,
} from './files.ts';
export type { Durability } from './files.ts';
export { LookedAt } from './looked-at.ts';
export { PrivateDirectory, nameOfLayout } from './private-directory.ts';
export { randomBytes } from './random.ts';
export { blobDescriptor, hasBlobs, isFileOf, noLinks, readerOf, sizeOfFile } from './reading.ts';
export { directoryOf, repositoryOf } from './repository-directory.ts';
export { TimeSlice, inSlices } from './slices.ts';
export type { Warn } from './warn.ts';
