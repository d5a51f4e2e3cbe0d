// Finds the exports of which a reader finds no example.
import type { Export } from './exports.ts';

/**
 * The exports that stand in no example. An export stands in one if its own comment has an `@example`, or if its name
 * is in the code of a guide or in the example of another export. A type also does if an export that stands in one
 * names it: then the example shows a value of that type.
 *
 * @param guides the Markdown texts of guides
 */
export function withoutExample(exports: readonly Export[], guides: readonly string[]): Export[] {
  const words = new Set([...guides.flatMap(codeIn), ...exports.map(exampleOf)].flatMap(wordsIn));
  const found = new Set(exports.filter((each) => exampleOf(each) !== '' || words.has(each.name)));
  for (const shown of found) {
    const named = new Set(wordsIn(shown.declaration));
    // A set gives what is added while it is iterated, too.
    for (const each of exports) if (each.isType && named.has(each.name)) found.add(each);
  }
  return exports.filter((each) => !found.has(each));
}

/** The blocks and spans of code in a Markdown text. */
function codeIn(markdown: string): string[] {
  return markdown.match(/^```[^]*?^```|`[^`\n]+`/gm) ?? [];
}

function exampleOf({ comment }: Export): string {
  return /@example\b([^]*)/.exec(comment)?.[1] ?? '';
}

function wordsIn(text: string): string[] {
  return text.match(/[A-Za-z_$][\w$]*/g) ?? [];
}
