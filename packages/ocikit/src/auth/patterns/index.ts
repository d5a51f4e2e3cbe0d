// Patterns of repository names, one by one and many as a tree.
export * from './pattern.ts';
export * from './pattern-tree.ts';
