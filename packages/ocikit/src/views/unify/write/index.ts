export { unifiedDeleter } from './deleter.ts';
export { uploadsIn } from './list-uploads.ts';
export { Supplier } from './supplier.ts';
export { UploadIds } from './upload-ids.ts';
export { uploadWriter } from './uploads.ts';
export { unifiedWriter } from './writer.ts';
