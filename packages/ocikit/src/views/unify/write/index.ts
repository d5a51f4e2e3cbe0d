// Pushes, uploads and deletes of a unified registry.
export { unifiedDeleter } from './deleter.ts';
export { listUploads } from './list-uploads.ts';
export { Supplier } from './supplier.ts';
export { UnifiedUploadIds } from './upload-ids.ts';
export { uploadWriter } from './uploads.ts';
export { unifiedWriter } from './writer.ts';
