// What runs everywhere. `ocikit/blobs` is node.ts where there are files.
export * from './blob-store.ts';
export { memoryBlobs } from './memory-blobs.ts';
export { MemoryStage } from './memory-stage.ts';
