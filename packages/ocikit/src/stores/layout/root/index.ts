export { RootLock } from './lock.ts';
export { LayoutStore } from './store.ts';
export type { Ownership, SmallFile } from './store.ts';
