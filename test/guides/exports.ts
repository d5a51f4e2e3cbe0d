// The exports of the library, each with the comment before its declaration.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { parseSync } from 'oxc-parser';
import type { Declaration, ModuleExportName, Program } from 'oxc-parser';

const library = fileURLToPath(new URL('../../packages/ocikit/', import.meta.url));

/** A name that programs import. */
export interface Export {
  /** The name, for example `createClient`. */
  name: string;
  /** The imports that have it, for example `ocikit/client`. */
  subpaths: string[];
  /** True for an interface or a type alias, which no program calls. */
  isType: boolean;
  /** The comment before its declaration; empty if there is none. */
  comment: string;
  /** The text of its declaration. */
  declaration: string;
}

/** The library's exports, by declaration: a name that several subpaths have is there once. */
export function exportsOfLibrary(): Export[] {
  const { exports } = JSON.parse(readFileSync(join(library, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>;
  };
  const all = new Map<string, Export>();
  for (const [subpath, conditions] of Object.entries(exports)) {
    if (typeof conditions === 'string') continue;
    const file = join(library, conditions.types.replace('./dist/', 'src/').replace(/\.d\.ts$/, '.ts'));
    for (const { file: declaredIn, name, ...found } of exportsOf(file)) {
      const key = `${declaredIn} ${name}`;
      const known = all.get(key) ?? { name, subpaths: [], ...found };
      const imported = subpath.replace('.', 'ocikit');
      if (!known.subpaths.includes(imported)) known.subpaths.push(imported);
      all.set(key, known);
    }
  }
  return [...all.values()];
}

type Found = Omit<Export, 'subpaths'> & { file: string };

function exportsOf(file: string): Found[] {
  const { source, program, comments } = parsed(file);
  const from = (path: string): Found[] => exportsOf(join(dirname(file), path));
  const described = (name: string, statement: { start: number; end: number }, isType: boolean): Found => ({
    file,
    name,
    isType,
    comment:
      comments.findLast(({ end }) => end <= statement.start && source.slice(end, statement.start).trim() === '')
        ?.value ?? '',
    declaration: source.slice(statement.start, statement.end),
  });
  return program.body.flatMap((statement): Found[] => {
    if (statement.type === 'ExportAllDeclaration') {
      if (statement.exported === null) return from(statement.source.value);
      return [described(nameOf(statement.exported), statement, false)];
    }
    if (statement.type !== 'ExportNamedDeclaration') return [];
    const { source: origin, declaration, specifiers } = statement;
    if (declaration !== null) {
      const isType = /^TS(?:Interface|TypeAlias)/.test(declaration.type);
      return namesOf(declaration).map((name) => described(name, statement, isType));
    }
    const found = origin === null ? [] : from(origin.value);
    return specifiers.map(({ local, exported }) => {
      const original = found.find(({ name }) => name === nameOf(local));
      if (original === undefined) throw new Error(`${file} exports ${nameOf(local)}, which ${origin?.value} does not`);
      return Object.assign({}, original, { name: nameOf(exported) });
    });
  });
}

const files = new Map<string, { source: string; program: Program; comments: { value: string; end: number }[] }>();

function parsed(file: string): { source: string; program: Program; comments: { value: string; end: number }[] } {
  const known = files.get(file);
  if (known !== undefined) return known;
  const source = readFileSync(file, 'utf8');
  const { program, comments, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const read = { source, program, comments };
  files.set(file, read);
  return read;
}

function nameOf(name: ModuleExportName): string {
  return name.type === 'Literal' ? name.value : name.name;
}

function namesOf(declaration: Declaration): string[] {
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []));
  }
  return 'id' in declaration && declaration.id?.type === 'Identifier' ? [declaration.id.name] : [];
}
