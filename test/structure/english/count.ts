// Counts, in each file, what makes it hard to read.
import { Resolver } from '../resolve.ts';
import { isTest, type Sources } from '../sources.ts';
import { commentTexts, hasOpening, wideLines, type Text } from './comments.ts';
import { markdownTexts } from './markdown.ts';
import { parseModule, type Module } from './module.ts';
import { PublicNames } from './public.ts';
import { faultsOf, sentencesOf } from './sentences.ts';
import { stringTexts } from './strings.ts';

/** The kinds that are counted, and what each one asks for. */
export const kinds = {
  subject: 'Begin the sentence with a noun or a verb, not with a question word or "of".',
  word: 'Name the actor (client, caller, server, another process), and use the usual word: resume, continue.',
  wide: 'A line of a comment has at most 120 columns.',
  opening: 'A file opens with a comment of one line that says what it is for.',
  undocumented: 'Give each export of the library, and each member of it, a TSDoc summary.',
  it: 'Write test(…), not it(…).',
} as const;

/** One of the kinds. */
export type Kind = keyof typeof kinds;

/** One thing that counts. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly kind: Kind;
  readonly text: string;
}

/** Lists all that counts in a tree of sources and documents. */
export function findingsIn(sources: Sources): Finding[] {
  const modules = new Map(
    [...sources]
      .filter(([path]) => /\.[cm]?[jt]s$/.test(path))
      .map(([path, source]) => [path, parseModule(path, source)] as const),
  );
  const publicNames = new PublicNames(modules, new Resolver(sources));
  return [...sources].flatMap(([path, source]) => {
    const module = modules.get(path);
    if (module !== undefined) return findingsInModule(module, publicNames);
    return path.endsWith('.md') ? findingsInTexts(path, markdownTexts(source)) : [];
  });
}

function findingsInModule(module: Module, publicNames: PublicNames): Finding[] {
  const { path } = module;
  const found = [...findingsInTexts(path, commentTexts(module)), ...findings(path, 'wide', wideLines(module))];
  if (isTest(path)) return [...found, ...findings(path, 'it', importsOfIt(module))];
  if (!hasOpening(module)) found.push({ path, line: 1, kind: 'opening', text: 'no opening comment' });
  found.push(...findingsInTexts(path, stringTexts(module)));
  return [...found, ...findings(path, 'undocumented', publicNames.undocumented(path))];
}

function findingsInTexts(path: string, texts: readonly Text[]): Finding[] {
  return texts
    .flatMap(({ text, line }) => sentencesOf(text, line))
    .flatMap(({ text, line }) => faultsOf(text).map((kind) => ({ path, line, kind, text })));
}

function findings(path: string, kind: Kind, texts: readonly Text[]): Finding[] {
  return texts.map(({ text, line }) => ({ path, line, kind, text: text.trim() }));
}

/** Without the import no test can be made with it. */
function importsOfIt({ record, lineOf }: Module): Text[] {
  return record.staticImports
    .filter(({ moduleRequest }) => moduleRequest.value === 'vitest')
    .flatMap(({ entries, start }) =>
      entries
        .filter(({ importName }) => importName.name === 'it')
        .map(() => ({ text: "import { it } from 'vitest'", line: lineOf(start) })),
    );
}
