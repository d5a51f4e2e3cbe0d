export * from './index.ts';
export { diskBlobs } from './disk-blobs.ts';
