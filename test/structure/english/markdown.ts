// Reads the texts of a document: paragraphs, list items and cells of tables, without code.
import type { Text } from './comments.ts';

/** Lists the texts of a Markdown document. */
export function markdownTexts(source: string): Text[] {
  const texts: { text: string; line: number }[] = [];
  let fence = false;
  let open = false;
  for (const [index, each] of source.split('\n').entries()) {
    const line = index + 1;
    const border = /^\s*```/.test(each);
    if (border) fence = !fence;
    if (border || fence || each.trim() === '') {
      open = false;
    } else if (/^\s*\|/.test(each)) {
      open = false;
      texts.push(...cellsOf(each).map((text) => ({ text, line })));
    } else if (open) {
      const last = texts.at(-1);
      if (last !== undefined) last.text += `\n${each}`;
    } else {
      open = true;
      texts.push({ text: each, line });
    }
  }
  return texts;
}

/** A cell of one or two words is no sentence. */
function cellsOf(row: string): string[] {
  return row
    .split('|')
    .map((cell) => cell.trim())
    .filter((cell) => /\S\s+\S+\s+\S/.test(cell));
}
