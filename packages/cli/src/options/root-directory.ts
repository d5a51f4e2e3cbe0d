// Opens the directory that a command is given.
import { existsSync, readdirSync, statSync } from 'node:fs';
import type { Dirent } from 'node:fs';
import { join } from 'node:path';

import { isRepository } from 'ocikit';
import { openLayout, openLayouts } from 'ocikit/layout';
import type { LayoutOptions, LayoutRegistry } from 'ocikit/layout';

import type { LayoutKind } from './layout-option.ts';

/**
 * Opens a directory that holds a registry: a mistyped name must not look like an empty registry, or become one.
 *
 * @param kind if omitted, a directory that is a layout itself counts as shared
 * @param readOnly whether to write nothing, so that another process may serve the directory
 */
export function openRoot(
  dir: string,
  kind: LayoutKind | undefined,
  { warn, readOnly }: { warn: (line: string) => void; readOnly: boolean },
): LayoutRegistry {
  if (!isDirectory(dir)) throw new Error(`${dir} is not a directory`);
  const found = kindOf(dir, kind);
  const open = found === 'shared' ? openLayout : openLayouts;
  const onWarning: LayoutOptions['onWarning'] = (message, fields) =>
    warn(`${message} ${JSON.stringify(fields, withMessages)}`);
  return open(dir, { onWarning, readOnly });
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/**
 * The kind of registry in a directory.
 *
 * @throws Error if it holds none, or one of another kind: with the wrong kind it would look empty
 */
function kindOf(dir: string, kind: LayoutKind | undefined): LayoutKind {
  const isOne = isLayout(dir);
  if (!isOne && !isDirectory(join(dir, '.ocikit')) && !hasLayoutBelow(dir)) {
    throw new Error(
      `no registry in ${dir}: neither it nor a directory below it is an image layout (a file oci-layout), and it has ` +
        'no .ocikit. Give the directory that ocikit serve --root names',
    );
  }
  if (kind === 'shared' && !isOne && hasLayoutBelow(dir)) {
    throw new Error(`${dir} has one layout for each repository: use --layout per-repository`);
  }
  if (kind === 'per-repository' && isOne && !hasLayoutBelow(dir)) {
    throw new Error(`${dir} is one layout for all repositories: use --layout shared`);
  }
  return kind ?? (isOne ? 'shared' : 'per-repository');
}

/** True if a directory below the root that can be a repository is an image layout. */
function hasLayoutBelow(root: string): boolean {
  let level = [''];
  while (level.length > 0) {
    const next: string[] = [];
    for (const parent of level) {
      for (const entry of entriesOf(join(root, parent))) {
        const path = parent === '' ? entry.name : `${parent}/${entry.name}`;
        // A component with a leading `_` stands for a repository whose name would clash with a layout's files.
        if (!entry.isDirectory() || !isRepository(path.replaceAll(/(^|\/)_/g, '$1'))) continue;
        // Another registry is no part of this one: its own root has to be named.
        if (isDirectory(join(root, path, '.ocikit'))) continue;
        if (isLayout(join(root, path))) return true;
        next.push(path);
      }
    }
    level = next;
  }
  return false;
}

/** A layout that has lost its `oci-layout` can still be checked. */
function isLayout(dir: string): boolean {
  return (
    existsSync(join(dir, 'oci-layout')) || (existsSync(join(dir, 'index.json')) && isDirectory(join(dir, 'blobs')))
  );
}

/** None for a directory that cannot be listed: if there is a registry below it, the search cannot know. */
function entriesOf(dir: string): Dirent[] {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    return [];
  }
}

/** Replaces errors, which JSON cannot express, by their messages. */
function withMessages(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
