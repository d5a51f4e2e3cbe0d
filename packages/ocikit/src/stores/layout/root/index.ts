// A root directory: its lock, its journal, recovery, folding, and the layouts below it.
export { RootLock } from './lock.ts';
export { LayoutStore } from './store.ts';
export type { Ownership, SmallFile } from './store.ts';
