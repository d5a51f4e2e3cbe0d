export * from './blob-store.ts';
export { diskBlobs } from './disk-blobs.ts';
export { memoryBlobs } from './memory-blobs.ts';
