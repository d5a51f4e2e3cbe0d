// All blob stores, for runtimes with files.
export * from './index.ts';
export { diskBlobs } from './disk-blobs.ts';
export type { DiskBlobsOptions } from './disk-blobs.ts';
