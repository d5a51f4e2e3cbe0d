// Reads the texts that a program shows: messages of errors, help. They are strings of three words or more.
import { Visitor, type BinaryExpression, type Expression, type PrivateIdentifier } from 'oxc-parser';

import type { Text } from './comments.ts';
import type { Module } from './module.ts';
import { mayHaveFaults as textMayHaveFaults } from './sentences.ts';

/**
 * Lists strings, and templates with `X` for each expression. Strings that `+` joins are one text.
 * A file in which no fault is possible gives none.
 */
export function stringTexts(module: Module): Text[] {
  if (!mayHaveFaults(module)) return [];
  const { program, lineOf } = module;
  const texts: Text[] = [];
  const joined = new Set<Expression | PrivateIdentifier>();
  const add = (text: string, start: number): void => {
    if (/\S\s+\S+\s+\S/.test(text)) texts.push({ text, line: lineOf(start) });
  };
  new Visitor({
    BinaryExpression: (node) => {
      if (node.operator !== '+' || joined.has(node)) return;
      add(partsOf(node, joined).join(''), node.start);
    },
    Literal: (node) => {
      if (typeof node.value === 'string' && !joined.has(node)) add(node.value, node.start);
    },
    TemplateLiteral: (node) => {
      if (!joined.has(node)) add(templateText(node), node.start);
    },
  }).visit(program);
  return texts;
}

/** Making the program of every file would take longer than all else together. */
function mayHaveFaults({ source, comments }: Module): boolean {
  let at = 0;
  let code = '';
  for (const { start, end } of comments) {
    code += source.slice(at, start);
    at = end;
  }
  return textMayHaveFaults(code + source.slice(at));
}

function partsOf(node: Expression | PrivateIdentifier, joined: Set<Expression | PrivateIdentifier>): string[] {
  joined.add(node);
  if (isSum(node)) return [...partsOf(node.left, joined), ...partsOf(node.right, joined)];
  if (node.type === 'Literal' && typeof node.value === 'string') return [node.value];
  if (node.type === 'TemplateLiteral') return [templateText(node)];
  return ['X'];
}

function isSum(node: Expression | PrivateIdentifier): node is BinaryExpression {
  return node.type === 'BinaryExpression' && node.operator === '+';
}

function templateText({ quasis }: { quasis: { value: { cooked: string | null } }[] }): string {
  return quasis.map(({ value }) => value.cooked ?? '').join('X');
}
