// Files and directories in memory, to be written to a directory, an archive or a disk image.
import { knownSize } from '../content/index.ts';
import type { ReopenableContent } from '../content/index.ts';

/** Options for an entry of a {@link FileTree}. */
export interface TreeEntryOptions {
  /** Permission bits. Default: 0o644 for a file, 0o755 for a directory. */
  mode?: number | undefined;
  /** When it was last modified. Default: unknown. */
  modified?: Date | undefined;
  /** Further data for the system that will read the tree. It is passed on unchanged. */
  system?: unknown;
}

/** Options of {@link FileTree.placeFile}. */
export interface PlaceFileOptions extends TreeEntryOptions {
  /** The file's bytes. Needed only if the content is a function. */
  size?: number | undefined;
}

/** A file or directory of a {@link FileTree}. */
interface TreeEntry {
  /** The path from the root, with `/` between names. */
  readonly path: string;
  /** Permission bits. */
  readonly mode: number;
  /** When it was last modified; undefined if unknown. */
  readonly modified?: Date | undefined;
  /** Further data for the system that will read the tree. */
  readonly system?: unknown;
}

/** A file of a {@link FileTree}. */
export interface TreeFile extends TreeEntry {
  /** Tells it from a directory. */
  readonly type: 'file';
  /** The file's bytes. */
  readonly size: number;
  /** The content. It is opened when it is read. */
  readonly content: ReopenableContent;
}

/** A directory of a {@link FileTree}. */
export interface TreeDirectory extends TreeEntry {
  /** Tells it from a file. */
  readonly type: 'directory';
}

interface TreeNode {
  entry: Omit<TreeFile, 'path'> | Omit<TreeDirectory, 'path'>;
  children: Map<string, TreeNode>;
}

/**
 * A tree of files and directories that are not written anywhere yet. The same tree can become a directory, an archive
 * or a disk image. Names and sizes are in memory; the content is opened when it is read.
 *
 * @example
 * const tree = await layoutFiles([{ ref: image, tag: 'v1' }]);
 * for (const entry of tree.walk()) {
 *   const path = join('./image', entry.path);
 *   if (entry.type === 'directory') await mkdir(path, { recursive: true });
 *   else await writeFile(path, readSource(entry.content));
 * }
 */
export class FileTree {
  readonly #root: TreeNode = { entry: directory({}), children: new Map() };

  /**
   * Places a file, and creates missing directories above it.
   *
   * @throws TypeError if the path is malformed, is taken, or leads through a file, or if the size is unknown
   */
  placeFile(path: string, content: ReopenableContent, options: PlaceFileOptions = {}): void {
    const { mode = 0o644, modified, system } = options;
    const size = options.size ?? knownSize(content);
    if (size === undefined) throw new TypeError(`the size of ${JSON.stringify(path)} is not known: give options.size`);
    this.#place(path, { entry: { type: 'file', mode, modified, system, size, content }, children: new Map() });
  }

  /**
   * Places a directory with a copy of all entries of another tree.
   *
   * @throws TypeError if the path is malformed, is taken, or leads through a file
   */
  placeDirectory(path: string, tree: FileTree = new FileTree(), options: TreeEntryOptions = {}): void {
    this.#place(path, { entry: directory(options), children: copyOf(tree.#root.children) });
  }

  #place(path: string, node: TreeNode): void {
    const names = namesIn(path);
    const last = names.pop() ?? '';
    let at = this.#root;
    for (const name of names) {
      const next: TreeNode = at.children.get(name) ?? { entry: directory({}), children: new Map() };
      if (next.entry.type === 'file') throw new TypeError(`the path ${JSON.stringify(path)} leads through a file`);
      at.children.set(name, next);
      at = next;
    }
    if (at.children.has(last)) throw new TypeError(`the path ${JSON.stringify(path)} is there already`);
    at.children.set(last, node);
  }

  /** Gives the entry at a path; undefined if there is none. */
  get(path: string): TreeFile | TreeDirectory | undefined {
    let at: TreeNode | undefined = this.#root;
    for (const name of namesIn(path)) at = at?.children.get(name);
    return at === undefined ? undefined : { ...at.entry, path };
  }

  /** Yields all entries in the order in which they were placed, each directory before its entries. */
  *walk(): Generator<TreeFile | TreeDirectory, void, undefined> {
    yield* walkNodes(this.#root.children, '');
  }
}

function* walkNodes(
  nodes: ReadonlyMap<string, TreeNode>,
  above: string,
): Generator<TreeFile | TreeDirectory, void, undefined> {
  for (const [name, { entry, children }] of nodes) {
    yield { ...entry, path: above + name };
    yield* walkNodes(children, `${above}${name}/`);
  }
}

function directory({ mode = 0o755, modified, system }: TreeEntryOptions): Omit<TreeDirectory, 'path'> {
  return { type: 'directory', mode, modified, system };
}

function copyOf(nodes: ReadonlyMap<string, TreeNode>): Map<string, TreeNode> {
  return new Map([...nodes].map(([name, { entry, children }]) => [name, { entry, children: copyOf(children) }]));
}

/** Names that lead out of a directory on some system, or that are not valid Unicode. */
const invalidName = /^\.{0,2}$|[\\\0]|\p{Surrogate}/u;

function namesIn(path: string): string[] {
  const names = path.split('/');
  if (names.some((name) => invalidName.test(name)))
    throw new TypeError(`${JSON.stringify(path)} is not a file's path: its names must not be empty, "." or ".."`);
  return names;
}
