// Finds what leaves the library through its exports, and which of it has no summary.
import type { Class, Declaration, PropertyKey, TSSignature, TSType } from 'oxc-parser';

import type { Resolver } from '../resolve.ts';
import { summaryFinder, type Text } from './comments.ts';
import type { Module } from './module.ts';

/** A declaration, and where its comment would end. */
interface Declared {
  readonly declaration: Declaration;
  readonly start: number;
}

/** The names that one file has from another one, or gives to others. */
interface Names {
  /** From a local name to its file and its name there. */
  readonly imported: ReadonlyMap<string, Origin>;
  /** From an exported name to its file and its name there. */
  readonly exported: ReadonlyMap<string, Origin>;
  /** Files of which all is exported. */
  readonly all: readonly string[];
}

/** The name is `*` if it stands for the whole file. */
interface Origin {
  readonly file: string;
  readonly name: string;
}

/** Everything that users of a package can name. */
export class PublicNames {
  readonly #modules: ReadonlyMap<string, Module>;
  readonly #resolver: Resolver;
  readonly #names = new Map<string, Names>();
  readonly #declared = new Map<string, ReadonlyMap<string, readonly Declared[]>>();
  readonly #found = new Map<string, Set<string>>();
  readonly #whole = new Set<string>();

  constructor(modules: ReadonlyMap<string, Module>, resolver: Resolver) {
    this.#modules = modules;
    this.#resolver = resolver;
    for (const file of resolver.exportedFiles()) this.#addAll(file);
  }

  /** Lists what is public, is declared in the file, and has no summary: names, and members `Name.member`. */
  undocumented(file: string): Text[] {
    const module = this.#modules.get(file);
    const found = this.#found.get(file);
    if (module === undefined || found === undefined) return [];
    const hasSummary = summaryFinder(module);
    return [...found].flatMap((name) => {
      const declared = this.#declaredIn(file).get(name) ?? [];
      const [first] = declared;
      const missing =
        first === undefined || declared.some(({ start }) => hasSummary(start)) ? [] : [{ text: name, at: first.start }];
      const members = declared.flatMap(({ declaration }) => membersOf(declaration));
      for (const member of membersWithout(members, hasSummary)) {
        missing.push({ text: `${name}.${member.name}`, at: member.start });
      }
      return missing.map(({ text, at }) => ({ text, line: module.lineOf(at) }));
    });
  }

  #addAll(file: string): void {
    if (this.#whole.has(file)) return;
    this.#whole.add(file);
    const { exported, all } = this.#namesOf(file);
    for (const { file: from, name } of exported.values()) this.#add(from, name);
    for (const from of all) this.#addAll(from);
  }

  /** Follows a name to its declaration. The base of a public interface is public too. */
  #add(file: string, name: string): void {
    if (name === '*') {
      this.#addAll(file);
      return;
    }
    const { imported, exported, all } = this.#namesOf(file);
    const origin = imported.get(name) ?? exported.get(name);
    if (origin !== undefined && (origin.file !== file || origin.name !== name)) {
      this.#add(origin.file, origin.name);
      return;
    }
    const declarations = this.#declaredIn(file).get(name);
    if (declarations === undefined) {
      for (const from of all) this.#add(from, name);
      return;
    }
    const found = this.#found.get(file) ?? new Set();
    if (found.has(name)) return;
    this.#found.set(file, found.add(name));
    for (const { declaration } of declarations) for (const base of basesOf(declaration)) this.#add(file, base);
  }

  #namesOf(file: string): Names {
    let names = this.#names.get(file);
    if (names === undefined) {
      const module = this.#modules.get(file);
      names = module === undefined ? nothing : namesOf(module, (specifier) => this.#fileOf(file, specifier));
      this.#names.set(file, names);
    }
    return names;
  }

  #declaredIn(file: string): ReadonlyMap<string, readonly Declared[]> {
    let declared = this.#declared.get(file);
    if (declared === undefined) {
      const module = this.#modules.get(file);
      declared = module === undefined ? new Map() : declaredIn(module);
      this.#declared.set(file, declared);
    }
    return declared;
  }

  #fileOf(file: string, specifier: string): string | undefined {
    const target = this.#resolver.resolve(file, specifier);
    return target.kind === 'files' ? target.files[0] : undefined;
  }
}

const nothing: Names = { imported: new Map(), exported: new Map(), all: [] };

/** Reads what a file imports and exports. Its program is not needed for that, which takes longer. */
function namesOf({ path, record }: Module, fileOf: (specifier: string) => string | undefined): Names {
  const imported = new Map<string, Origin>();
  const exported = new Map<string, Origin>();
  const all: string[] = [];
  for (const { moduleRequest, entries } of record.staticImports) {
    const file = fileOf(moduleRequest.value);
    for (const { localName, importName } of file === undefined ? [] : entries) {
      imported.set(localName.value, { file: file ?? '', name: importName.name ?? '*' });
    }
  }
  for (const { moduleRequest, importName, exportName, localName } of record.staticExports.flatMap(
    ({ entries }) => entries,
  )) {
    const file = moduleRequest === null ? path : fileOf(moduleRequest.value);
    if (file === undefined) continue;
    const name = exportName.name ?? '';
    if (name === '') all.push(file);
    else exported.set(name, { file, name: importName.name ?? localName.name ?? '*' });
  }
  return { imported, exported, all };
}

function declaredIn({ program }: Module): Map<string, Declared[]> {
  const declared = new Map<string, Declared[]>();
  for (const node of program.body) {
    const declaration = node.type === 'ExportNamedDeclaration' ? node.declaration : isDeclaration(node) ? node : null;
    for (const name of declaration === null ? [] : namesDeclared(declaration)) {
      if (declaration !== null) declared.set(name, [...(declared.get(name) ?? []), { declaration, start: node.start }]);
    }
  }
  return declared;
}

function isDeclaration(node: { type: string }): node is Declaration {
  return /^(?:TSInterface|TSTypeAlias|Class|Function|Variable)Declaration$|^TSDeclareFunction$/.test(node.type);
}

function namesDeclared(declaration: Declaration): string[] {
  if (declaration.type === 'VariableDeclaration') {
    return declaration.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []));
  }
  return 'id' in declaration && declaration.id?.type === 'Identifier' ? [declaration.id.name] : [];
}

function basesOf(declaration: Declaration): string[] {
  if (declaration.type !== 'TSInterfaceDeclaration') return [];
  return declaration.extends.flatMap(({ expression }) => (expression.type === 'Identifier' ? [expression.name] : []));
}

interface Member {
  readonly name: string;
  readonly start: number;
}

function membersOf(declaration: Declaration): Member[] {
  if (declaration.type === 'TSInterfaceDeclaration') return declaration.body.body.flatMap(memberOf);
  if (declaration.type === 'TSTypeAliasDeclaration') return membersOfType(declaration.typeAnnotation);
  return declaration.type === 'ClassDeclaration' ? membersOfClass(declaration) : [];
}

function membersOfType(type: TSType): Member[] {
  if (type.type === 'TSTypeLiteral') return type.members.flatMap(memberOf);
  if (type.type === 'TSIntersectionType') return type.types.flatMap(membersOfType);
  return [];
}

function memberOf(member: TSSignature): Member[] {
  if (member.type !== 'TSPropertySignature' && member.type !== 'TSMethodSignature') return [];
  return [{ name: keyOf(member.key), start: member.start }];
}

/** A method that a class takes over, from an interface or its base, has the summary there. */
function membersOfClass({ body, implements: interfaces = [] }: Class): Member[] {
  if (interfaces.length > 0) return [];
  return body.body.flatMap((member) => {
    if (member.type === 'StaticBlock' || member.type === 'TSIndexSignature') return [];
    const hidden = member.accessibility === 'private' || member.accessibility === 'protected';
    const own = member.type !== 'MethodDefinition' || member.kind !== 'constructor';
    if (hidden || !own || member.override === true || member.key.type === 'PrivateIdentifier') return [];
    return [{ name: keyOf(member.key), start: member.start }];
  });
}

function keyOf(key: PropertyKey): string {
  if (key.type === 'Identifier') return key.name;
  return key.type === 'Literal' ? String(key.value) : '[…]';
}

/** Overloads have one summary, and so have a getter and its setter. */
function membersWithout(members: readonly Member[], hasSummary: (start: number) => boolean): Member[] {
  const named = new Set(members.filter(({ start }) => hasSummary(start)).map(({ name }) => name));
  return members.filter(
    ({ name }, index) => !named.has(name) && members.findIndex((each) => each.name === name) === index,
  );
}
