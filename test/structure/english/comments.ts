// Reads the texts of comments, and how they stand in their file.
import type { Comment } from 'oxc-parser';

import type { Module } from './module.ts';

/** A text in plain English, and the line at which it begins. */
export interface Text {
  readonly text: string;
  readonly line: number;
}

/** For tools, not for readers. */
const directive = /^\s*(?:eslint|oxlint|@ts-|\/\s*<|v8 ignore|@vite)/;

const tag = /^\s*@\w+\s*(?:\{[^}]*\}\s*)?/;
const namedTag = /^\s*@(?:param|template|typeParam|property)\b/;

/** Lists the texts of all comments. Line comments below each other are one text. */
export function commentTexts({ source, comments, lineOf }: Module): Text[] {
  const texts: Text[] = [];
  let above: { text: string; line: number; last: number } | undefined;
  for (const comment of comments.filter(({ value }) => !directive.test(value))) {
    const line = lineOf(comment.start);
    if (comment.type === 'Block') {
      above = undefined;
      texts.push(...blockTexts(comment, line));
    } else if (above !== undefined && above.last === line - 1 && isAlone(source, comment)) {
      above.text += `\n${comment.value.trim()}`;
      above.last = line;
    } else {
      const text = { text: comment.value.trim(), line, last: line };
      texts.push(text);
      above = isAlone(source, comment) ? text : undefined;
    }
  }
  return texts;
}

function isAlone(source: string, { start }: Comment): boolean {
  return source.slice(source.lastIndexOf('\n', start - 1) + 1, start).trim() === '';
}

/** The summary, and the text of each tag, without examples of code. */
function blockTexts(comment: Comment, line: number): Text[] {
  const texts: { text: string; line: number }[] = [];
  let code = false;
  for (const [index, each] of linesOf(comment).entries()) {
    if (/^\s*```/.test(each)) code = !code;
    else if (!code && (tag.test(each) || texts.length === 0))
      texts.push({ text: withoutTag(each), line: line + index });
    else if (!code) addLine(texts, each);
  }
  return texts.filter(({ text }) => text.trim() !== '');
}

function addLine(texts: { text: string }[], line: string): void {
  const last = texts.at(-1);
  if (last !== undefined) last.text += `\n${line}`;
}

function withoutTag(line: string): string {
  const text = line.replace(tag, '');
  return namedTag.test(line) ? text.replace(/^\S+\s*(?:[-–]\s+)?/, '') : text;
}

function linesOf({ value }: Comment): string[] {
  return value.split('\n').map((line) => line.replace(/^\s*\* ?|^\*/, ''));
}

/** Lists the lines of comments over 120 columns. */
export function wideLines({ source, comments, lineOf }: Module): Text[] {
  return comments.flatMap(({ start, end }) => {
    const first = source.lastIndexOf('\n', start - 1) + 1;
    return source
      .slice(first, end)
      .split('\n')
      .map((text, index) => ({ text, line: lineOf(start) + index }))
      .filter(({ text }) => text.length > 120);
  });
}

/** Says whether the file opens with a comment for readers, below `#!` at most. */
export function hasOpening({ source, comments }: Module): boolean {
  const [first] = comments;
  if (first === undefined || directive.test(first.value)) return false;
  return (
    source
      .slice(0, first.start)
      .replace(/^#!.*\n/, '')
      .trim() === ''
  );
}

/** Gives for a node's start whether a TSDoc comment with a summary ends just before it. */
export function summaryFinder({ source, comments }: Module): (start: number) => boolean {
  const docs = new Map(comments.filter(isTsDoc).map((comment) => [comment.end, comment]));
  return (start) => {
    const doc = docs.get(source.slice(0, start).trimEnd().length);
    return doc !== undefined && blockTexts(doc, 0).length > 0 && !/^\s*@/.test(linesOf(doc).join('\n'));
  };
}

function isTsDoc({ type, value }: Comment): boolean {
  return type === 'Block' && value.startsWith('*');
}
