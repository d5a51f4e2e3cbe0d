// Image layouts as files.
export { FileTree } from './file-tree.ts';
export type { PlaceFileOptions, TreeDirectory, TreeEntryOptions, TreeFile } from './file-tree.ts';
export { layoutFiles } from './layout-files.ts';
export type { LayoutEntry } from './layout-files.ts';
export { readLayout, readLayoutIndex } from './read-layout.ts';
export type { LayoutFile, ReadLayoutOptions } from './read-layout.ts';
