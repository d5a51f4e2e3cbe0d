// Files and directories below a root: durable writes, slices, throttle, names of directories.
export { openRegular, readRegular, readRegularNow, statsOf } from '../../disk/index.ts';
export {
  hasBlobs,
  isFileOf,
  isNoFile,
  openBlobFile,
  openBlobNow,
  partsReaderOf,
  readerOf,
  readOpened,
  sizeOfFile,
  statsOfFile,
  unreadable,
} from './blob-files.ts';
export { CheckedThisTurn } from './checked-this-turn.ts';
export { Files, isTemporaryName } from './files.ts';
export type { Durability } from './files.ts';
export { PrivateDirectory, nameOfLayout, privateDirectoryOf } from './private-directory.ts';
export { pooledRandomBytes } from './random-bytes.ts';
export { directoryOf, repositoryOf } from './repository-directory.ts';
export {
  assertInside,
  entriesOf,
  formatIdentity,
  hasEntries,
  identityNow,
  identityOf,
  modifiedAt,
  namesIn,
  noFollow,
  readWhole,
} from './reading.ts';
export { TimeSlice, inSlices } from './slices.ts';
export { Throttle } from './throttle.ts';
export { Turns } from './turns.ts';
export type { Warn } from './warn.ts';
