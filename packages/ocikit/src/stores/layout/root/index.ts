// A root directory: its lock, its journal, recovery, folding, and the layouts below it.
export { RootLock } from './lock.ts';
export { LayoutStore } from './store.ts';
export { Commits } from './commits.ts';
export type { SmallFile } from './commits.ts';
export type { Ownership } from './store.ts';
