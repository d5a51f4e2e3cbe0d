export * from './serve.ts';
export * from './transfers.ts';
