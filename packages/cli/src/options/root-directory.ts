// Opens the directory that a command is given.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { openLayout, openLayouts } from 'ocikit/layout';
import type { LayoutRegistry } from 'ocikit/layout';

import type { LayoutKind } from './layout-option.ts';

/**
 * Opens a directory that exists: a mistyped name must not create a new one.
 *
 * @param kind if omitted, a directory that is a layout itself counts as shared
 */
export function openRoot(dir: string, kind: LayoutKind | undefined, warn: (line: string) => void): LayoutRegistry {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) throw new Error(`${dir} is not a directory`);
  const found = kind ?? (existsSync(join(dir, 'oci-layout')) ? 'shared' : 'per-repository');
  const open = found === 'shared' ? openLayout : openLayouts;
  return open(dir, { onWarning: (message, fields) => warn(`${message} ${JSON.stringify(fields, withMessages)}`) });
}

/** Replaces errors, which JSON cannot express, by their messages. */
function withMessages(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
