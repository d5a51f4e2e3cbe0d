export * from './staged-bytes.ts';
export * from './upload-sessions.ts';
