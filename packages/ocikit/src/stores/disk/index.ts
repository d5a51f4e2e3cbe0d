export * from './file-reader.ts';
export * from './process-identity.ts';
