// Decisions about callers, with the parts that read files: for Node, Bun and Deno.
export * from './files/index.ts';
export * from './index.ts';
