// Reads the project's files as a map from path to text: the checks are given such a map, and tests make one up.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** From a path relative to the workspace, with `/`, to the file's text. */
export type Sources = ReadonlyMap<string, string>;

const root = join(import.meta.dirname, '../..');

/** Folders that hold no source: built, installed or downloaded files. */
const skipped = new Set(['node_modules', 'dist', 'bundled', 'coverage', 'registry-data', '.run', '.cache', '.git']);

/** Reads the files below `folders` whose names end as asked. `''` is the workspace, without the folders in it. */
export function readSources(folders: readonly string[], endings: RegExp): Sources {
  const found = new Map<string, string>();
  for (const folder of folders.filter((name) => existsSync(join(root, name)))) addFolder(found, folder, endings);
  return found;
}

function addFolder(found: Map<string, string>, folder: string, endings: RegExp): void {
  for (const entry of filesIn(folder)) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && folder !== '' && !skipped.has(entry.name)) addFolder(found, path, endings);
    else if (entry.isFile() && endings.test(entry.name)) add(found, path);
  }
}

function filesIn(folder: string): { name: string; isFile: () => boolean; isDirectory: () => boolean }[] {
  return readdirSync(join(root, folder), { withFileTypes: true });
}

function add(found: Map<string, string>, path: string): void {
  found.set(path, readFileSync(join(root, path), 'utf8'));
}

/** Gives the line of an offset, counted from one. */
export function lineCounter(source: string): (offset: number) => number {
  const starts = [0];
  for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}

/** Says whether a file holds tests. */
export function isTest(path: string): boolean {
  return path.endsWith('.test.ts');
}
