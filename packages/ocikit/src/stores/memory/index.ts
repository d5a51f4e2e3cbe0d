export * from './memory-registry.ts';
