// The registry in memory.
export * from './memory-registry.ts';
