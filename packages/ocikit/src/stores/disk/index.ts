// The parts that stores on disk share.
export * from './file-errors.ts';
export * from './file-reader.ts';
export * from './process-identity.ts';
export * from './recently-used.ts';
export * from './regular-file.ts';
export * from './verified-files.ts';
export * from './verifying-file-reader.ts';
