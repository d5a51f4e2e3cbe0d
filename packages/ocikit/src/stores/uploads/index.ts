export * from './upload-sessions.ts';
