// Finds the file, the Node module or the package that a specifier stands for.
import { builtinModules } from 'node:module';
import { posix } from 'node:path';

import type { Sources } from './sources.ts';

/** The meaning of a specifier. */
export type Target =
  | { readonly kind: 'files'; readonly files: readonly string[]; readonly by: 'path' | 'package' | 'hash' }
  | { readonly kind: 'node'; readonly name: string }
  | { readonly kind: 'package'; readonly name: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'no source' };

interface Manifest {
  readonly name?: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly imports?: Readonly<Record<string, unknown>>;
}

interface Package {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Answers for one tree: its files, and the workspace's packages with their `exports` and `imports`. */
export class Resolver {
  readonly #sources: Sources;
  readonly #packages: readonly Package[];

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#packages = [...sources].flatMap(([path, text]) =>
      /^packages\/[^/]+\/package\.json$/.test(path)
        ? [{ folder: posix.dirname(path), manifest: JSON.parse(text) as Manifest }]
        : [],
    );
  }

  /** Resolves what `file` imports. */
  resolve(file: string, specifier: string): Target {
    if (specifier.startsWith('.')) return this.#path(file, specifier);
    if (specifier.startsWith('#')) return this.#hash(file, specifier);
    if (specifier.startsWith('node:')) return { kind: 'node', name: specifier };
    if (/^\/|^\w+:/.test(specifier)) return { kind: 'no source' };
    const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
    const own = this.#packages.find(({ manifest }) => manifest.name === name);
    if (own !== undefined) return this.#exported(own, `.${specifier.slice(name.length)}`);
    if (builtinModules.includes(specifier)) return { kind: 'node', name: `node:${specifier}` };
    return { kind: 'package', name };
  }

  /** Files that a package's `exports` give to its users. */
  exportedFiles(): Set<string> {
    const files = this.#packages.flatMap(({ folder, manifest }) =>
      Object.values(manifest.exports ?? {}).flatMap((target) => this.#files(folder, target)),
    );
    return new Set(files);
  }

  #path(file: string, specifier: string): Target {
    if (!/\.[cm]?[jt]s$/.test(specifier)) return { kind: 'no source' };
    // A URL in the benchmark is relative to the built file.
    const places = [posix.dirname(file), posix.dirname(file).replace(/^bench\b/, 'bench/dist')];
    const found = places.map((place) => this.#source(posix.join(place, specifier))).find((path) => path !== undefined);
    return found === undefined ? { kind: 'missing' } : { kind: 'files', files: [found], by: 'path' };
  }

  #hash(file: string, specifier: string): Target {
    const owner = this.#packages.find(({ folder }) => file.startsWith(`${folder}/`));
    const files = owner === undefined ? [] : this.#files(owner.folder, owner.manifest.imports?.[specifier]);
    return files.length === 0 ? { kind: 'missing' } : { kind: 'files', files, by: 'hash' };
  }

  #exported({ folder, manifest }: Package, subpath: string): Target {
    if (subpath === './package.json') return { kind: 'no source' };
    const files = this.#files(folder, manifest.exports?.[subpath]);
    return files.length === 0 ? { kind: 'missing' } : { kind: 'files', files, by: 'package' };
  }

  /** The sources of all that the conditions of one entry name. A bundle has the source that its types come from. */
  #files(folder: string, target: unknown): string[] {
    const paths = typeof target === 'string' ? [target] : Object.values(target ?? {}).map(String);
    const files = paths.map((path) => this.#source(posix.join(folder, path)));
    return [...new Set(files.filter((file) => file !== undefined))];
  }

  /** A built file's source, as `dist/a/b.js` is made of `src/a/b.ts`. */
  #source(path: string): string | undefined {
    if (this.#sources.has(path)) return path;
    const source = path
      .replace(/^(packages\/[^/]+)\/(?:dist|bundled)\//, '$1/src/')
      .replace(/(?:\.d\.ts|\.js)$/, '.ts');
    return this.#sources.has(source) ? source : undefined;
  }
}
