// Finds the sentences of a text that have to be read twice.

/** A sentence, and the line at which it begins. */
export interface Sentence {
  readonly text: string;
  readonly line: number;
}

/** Faults that a sentence can have: its first word as subject, or a word that names no actor. */
export type SentenceFault = 'subject' | 'word';

const subject = /^["'(*_[\s]*(?:what|who|whoever|whose|of|where)\b/i;
const question = /\?["')*_]*$/;
const word = /\b(?:whoever|somebody|nobody|anybody|go(?:es|ing|ne)? on with|went on with)\b/i;

/** Ends of sentences; empty lines; the beginnings of list items, headings and quotations. */
const border = /(?<=[.!?]["')*_]*)\s+(?=["'`(*_[]*[A-Z])|\n\s*\n|\n(?=\s*(?:[-*|#>]|\d+\.)\s)/;
const listMark = /^(?:(?:[-*#|>]+|\d+\.)\s+)+/;

/** Says whether code can have a string with a fault. It may say so of code that has none. */
export function mayHaveFaults(code: string): boolean {
  return word.test(code) || /(?:["'`.!?\n|>*#)_(-]|\\n)["'(*_[\s]*(?:what|who|whoever|whose|of|where)\b/i.test(code);
}

/** Splits a text that begins at `line` into sentences. */
export function sentencesOf(text: string, line: number): Sentence[] {
  const sentences: Sentence[] = [];
  let rest = text;
  let at = line;
  for (;;) {
    const found = border.exec(rest);
    const part = found === null ? rest : rest.slice(0, found.index);
    const blank = /^\s*/.exec(part)?.[0] ?? '';
    const clean = part.trim().replaceAll(/\s+/g, ' ').replace(listMark, '');
    if (clean !== '') sentences.push({ text: clean, line: at + newlines(blank) });
    if (found === null) return sentences;
    const end = found.index + found[0].length;
    at += newlines(rest.slice(0, end));
    rest = rest.slice(end);
  }
}

/** Lists the faults of a sentence. */
export function faultsOf(sentence: string): SentenceFault[] {
  const faults: SentenceFault[] = [];
  if (subject.test(sentence) && !question.test(sentence)) faults.push('subject');
  if (word.test(sentence)) faults.push('word');
  return faults;
}

function newlines(text: string): number {
  return text.split('\n').length - 1;
}
