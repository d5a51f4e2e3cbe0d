// The blob stores that run everywhere. In runtimes with files, `ocikit/blobs` is node.ts.
export * from './blob-store.ts';
export { memoryBlobs } from './memory-blobs.ts';
export { MemoryStage } from './memory-stage.ts';
