// Pushing blobs and manifests.
export { clientWriter } from './writer.ts';
