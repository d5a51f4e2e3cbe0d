import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

import { openLayout, openLayouts } from 'ocikit/layout';
import type { LayoutRegistry } from 'ocikit/layout';

import type { LayoutKind } from './layout-option.ts';

/**
 * Opens a directory that a command is given, which has to be there: a name that was mistyped must not make a new one.
 *
 * @param kind if it is left out, a directory that is a layout itself is one for all repositories
 */
export function openRoot(dir: string, kind: LayoutKind | undefined, warn: (line: string) => void): LayoutRegistry {
  if (statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true) throw new Error(`${dir} is no directory`);
  const found = kind ?? (existsSync(join(dir, 'oci-layout')) ? 'shared' : 'per-repository');
  const open = found === 'shared' ? openLayout : openLayouts;
  return open(dir, { onWarning: (message, fields) => warn(`${message} ${JSON.stringify(fields, withMessages)}`) });
}

/** JSON has no form for errors. */
function withMessages(_key: string, value: unknown): unknown {
  return value instanceof Error ? value.message : value;
}
