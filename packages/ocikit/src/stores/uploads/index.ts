// Uploads: blobs that arrive in several parts.
export * from './staged-bytes.ts';
export * from './upload-sessions.ts';
