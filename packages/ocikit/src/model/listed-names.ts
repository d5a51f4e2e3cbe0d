// Names in the lists of another registry, which may be anything.
import { isRepository, isTag } from './reference.ts';

/** The kinds of lists of names, by their fields in an answer. */
export type NameListKind = 'repositories' | 'tags';

/**
 * Returns a test for the names of one list of another registry. A list may hold texts that are no names: `../../x`,
 * `/etc`, escape sequences for a terminal. They must not become paths or output of a program.
 *
 * @example const tags = answer.tags.filter(nameFilter('tags', console.warn));
 * @param onWarning called at the first text that is no name. The text of the warning is printable ASCII
 */
export function nameFilter(kind: NameListKind, onWarning?: (text: string) => void): (name: string) => boolean {
  const isName = kind === 'tags' ? isTag : isRepository;
  let hasWarned = false;
  return (name) => {
    if (isName(name)) return true;
    if (!hasWarned) {
      hasWarned = true;
      const what = kind === 'tags' ? 'tag' : 'repository name';
      onWarning?.(`a list of ${kind} has ${printable(name)}, which is no ${what}; such entries are left out`);
    }
    return false;
  };
}

/** Quotes a text, with an escape for each character that is not printable ASCII. */
function printable(text: string): string {
  const quoted = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
  return quoted.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
