// Reading blobs and manifests.
export { clientReader } from './reader.ts';
