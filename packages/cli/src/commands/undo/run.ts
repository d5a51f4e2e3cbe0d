// Runs `ocikit undo`: takes back the last move of a tag.
import { historyOf, isRegistryError } from 'ocikit';
import type { LayoutRegistry } from 'ocikit/layout';
import { undoTag } from 'ocikit/upkeep';

import type { LayoutKind } from '../../options/layout-option.ts';
import { openRoot } from '../../options/root-directory.ts';
import type { TagName } from '../../options/tag-arguments.ts';
import { untilInterrupted } from '../../output/interruption.ts';
import { outputOf } from '../../output/results.ts';

/** The options of `ocikit undo`. */
export interface UndoFlags {
  json?: true;
  layout?: LayoutKind;
}

/** Takes back the last move of a tag in a directory that no server uses. */
export async function runUndo(dir: string, { repository, tag }: TagName, flags: UndoFlags): Promise<void> {
  const registry = openRoot(dir, flags.layout, {
    warn: (line) => process.stderr.write(`warning: ${line}\n`),
    readOnly: false,
  });
  try {
    await ownOrSay(registry, repository, tag);
    await untilInterrupted(async (signal) => {
      const { digest, move } = await undoTag(registry, repository, tag, { signal });
      const now = digest === undefined ? 'is deleted, as it did not exist before' : `is at ${digest} again`;
      const was = move.digest === undefined ? '' : ` (was at ${move.digest})`;
      const value = { repository, tag, digest: digest ?? null, previous: move.digest ?? null };
      await outputOf(flags).write(value, `${repository}:${tag} ${now}${was}`);
    });
  } finally {
    await registry.close();
  }
}

/** Takes the directory. If a server uses it, the error says how to move the tag through the server. */
async function ownOrSay(registry: LayoutRegistry, repository: string, tag: string): Promise<void> {
  try {
    await registry.own();
  } catch (error) {
    if (!isRegistryError(error, 'UNAVAILABLE')) throw error;
    const instead = await throughServer(registry, repository, tag);
    throw new Error(`${error.message}${instead === undefined ? '' : `\n  ${instead}`}`, { cause: error });
  }
}

/** The request to the server that takes the last move back; undefined if there is no move. */
async function throughServer(registry: LayoutRegistry, repository: string, tag: string): Promise<string | undefined> {
  for await (const { previous } of historyOf(registry)?.moves(repository, { tag, limit: 1 }) ?? []) {
    if (previous === undefined)
      return `The tag did not exist before: delete it through the server, with crane delete HOST/${repository}:${tag}`;
    return `Through the server, set the tag with crane tag HOST/${repository}@${previous} ${tag}`;
  }
  return undefined;
}
