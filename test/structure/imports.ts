// Every way in which a file names another module: statements, types, `import()`, `require` and URLs beside it.
import { parseSync, Visitor, type Argument, type Expression } from 'oxc-parser';

import { lineCounter } from './sources.ts';

/** One module that a file names. */
export interface Import {
  /** The module's name or path; undefined if only running the code would tell. */
  readonly specifier: string | undefined;
  readonly line: number;
  /** Only types are imported: nothing is loaded. */
  readonly typeOnly: boolean;
}

/** Lists what `source` imports, in no certain order. */
export function importsOf(path: string, source: string): Import[] {
  const lineOf = lineCounter(source);
  const parsed = parseSync(path, source);
  const [error] = parsed.errors;
  if (error !== undefined) throw new Error(`${path} cannot be parsed: ${error.message}`);
  const found: Import[] = [];
  for (const { start, moduleRequest, entries } of parsed.module.staticImports) {
    const typeOnly = entries.length > 0 && entries.every(({ isType }) => isType);
    found.push({ specifier: moduleRequest.value, line: lineOf(start), typeOnly });
  }
  for (const { start, entries } of parsed.module.staticExports) {
    for (const { moduleRequest, isType } of entries) {
      if (moduleRequest !== null) found.push({ specifier: moduleRequest.value, line: lineOf(start), typeOnly: isType });
    }
  }
  // Making the tree of every file would take longer than all else together.
  if (
    /\bimport\b[^'"{]*\(|\bimport\s+\w+\s*=|\bnew\s+(?:URL|Worker)\b|\brequire\b|\bimport\.meta\.resolve\b/.test(source)
  ) {
    const add = (specifier: string | undefined, start: number, typeOnly = false): void => {
      found.push({ specifier, line: lineOf(start), typeOnly });
    };
    new Visitor({
      ImportExpression: ({ source: name, start }) => add(textOf(name), start),
      TSImportType: ({ source: name, start }) => add(name.value, start, true),
      TSExternalModuleReference: ({ expression, start }) => add(expression.value, start),
      NewExpression: ({ callee, arguments: given, start }) => {
        const name = callee.type === 'Identifier' ? callee.name : undefined;
        if (name === 'URL' && given.length === 2 && isOwnUrl(given[1])) add(besideText(given[0]), start);
        if (name === 'Worker' && isText(given[0]) && given.length === 1) add(besideText(given[0]), start);
      },
      CallExpression: ({ callee, arguments: given, start }) => {
        if (requires(callee) && isText(given[0])) add(textOf(given[0]), start);
        if (isMetaResolve(callee) && isText(given[0])) add(textOf(given[0]), start);
      },
    }).visit(parsed.program);
  }
  if (path.endsWith('.js')) found.push(...importsOfComments(source, lineOf));
  return found;
}

/** JavaScript has its types in comments. */
function importsOfComments(source: string, lineOf: (offset: number) => number): Import[] {
  return [...source.matchAll(/\bimport\('([^']+)'\)\./g)].map((match) => ({
    specifier: match[1],
    line: lineOf(match.index),
    typeOnly: true,
  }));
}

function isText(node: Argument | undefined): boolean {
  return textOf(node) !== undefined;
}

/** The text of a string, or of a template without expressions. */
function textOf(node: Argument | Expression | undefined): string | undefined {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type === 'TemplateLiteral' && node.expressions.length === 0)
    return node.quasis[0]?.value.cooked ?? undefined;
  return undefined;
}

/** A URL's text is a path even without `./`. */
function besideText(node: Argument | undefined): string | undefined {
  const text = textOf(node);
  return text === undefined || /^\.{0,2}\/|^\w+:/.test(text) ? text : `./${text}`;
}

function isOwnUrl(node: Argument | undefined): boolean {
  if (node?.type !== 'MemberExpression' || node.object.type !== 'MetaProperty') return false;
  return node.property.type === 'Identifier' && node.property.name === 'url';
}

/** `require(…)`, `require.resolve(…)` or `createRequire(…)(…)`. */
function requires(callee: Expression): boolean {
  if (callee.type === 'Identifier') return callee.name === 'require';
  if (callee.type === 'CallExpression') {
    return callee.callee.type === 'Identifier' && callee.callee.name === 'createRequire';
  }
  return callee.type === 'MemberExpression' && callee.object.type === 'Identifier' && callee.object.name === 'require';
}

function isMetaResolve(callee: Expression): boolean {
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'MetaProperty') return false;
  return callee.property.type === 'Identifier' && callee.property.name === 'resolve';
}
