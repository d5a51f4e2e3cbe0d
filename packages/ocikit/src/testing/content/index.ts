// Content for tests: blobs, images, indexes and artifacts, and how to push them.
export * from './blobs.ts';
export * from './manifests.ts';
export * from './push-content.ts';
export { randomName } from './random.ts';
