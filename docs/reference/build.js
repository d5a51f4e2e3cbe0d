// Writes the API reference of the library to `dist/`, with a module for each subpath export. usage: npm run reference
import { readFileSync } from 'node:fs';

/**
 * The part of typedoc that is used here. It is installed only where the reference is written.
 *
 * @typedef {{ children?: { name: string }[] }} Project
 * @typedef {{
 *   convert(): Promise<Project | undefined>,
 *   validate(project: Project): void,
 *   generateOutputs(project: Project): Promise<void>,
 *   logger: { hasErrors(): boolean },
 * }} TypedocApplication
 * @typedef {{
 *   Application: { bootstrap(options: object, readers: readonly object[]): Promise<TypedocApplication> },
 *   TSConfigReader: new () => object,
 * }} Typedoc
 */
const { Application, TSConfigReader } = /** @type {Typedoc} */ (await import('typedoc'));

const here = new URL('.', import.meta.url).pathname;
const library = new URL('../../packages/ocikit/', import.meta.url).pathname;

const { name, exports } = /** @type {{ name: string, exports: Record<string, { types?: string }> }} */ (
  JSON.parse(readFileSync(`${library}package.json`, 'utf8'))
);
/** The subpaths of the library, each with its source file below `src/` without `.ts`. */
const files = Object.entries(exports).flatMap(([subpath, { types }]) =>
  types === undefined
    ? []
    : [{ subpath: subpath.replace('.', name), file: types.replace('./dist/', '').replace(/\.d\.ts$/, '') }],
);
/** The name that typedoc gives a module, and the one that programs import. */
const subpaths = new Map(files.map(({ subpath, file }) => [file.replace(/\/index$/, ''), subpath]));

const app = await Application.bootstrap(
  {
    name,
    entryPoints: files.map(({ file }) => `${library}src/${file}.ts`),
    tsconfig: `${library}tsconfig.json`,
    out: `${here}dist`,
    readme: `${library}README.md`,
    projectDocuments: [`${here}../guides/*.md`],
    highlightLanguages: ['ts', 'js', 'sh', 'json', 'toml'],
    excludeExternals: true,
    excludeInternal: true,
    excludePrivate: true,
    disableSources: true,
    githubPages: false,
    // The build of the library checks the types.
    skipErrorChecking: true,
  },
  [new TSConfigReader()],
);
const project = await app.convert();
if (project === undefined) throw new Error('typedoc cannot read the sources: its messages above say why');
for (const module of project.children ?? []) module.name = subpaths.get(module.name) ?? module.name;
app.validate(project);
await app.generateOutputs(project);
if (app.logger.hasErrors()) throw new Error('typedoc has not written all of the reference: its messages above say why');
