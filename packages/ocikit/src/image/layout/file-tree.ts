import { sizeOf } from '../content/index.ts';
import type { ReopenableContent } from '../content/index.ts';

export interface TreeEntryOptions {
  /** Permission bits. Default: 0o644 for a file, 0o755 for a directory. */
  mode?: number | undefined;
  modified?: Date | undefined;
  /** Whatever the system that the tree is for has to know besides. */
  system?: unknown;
}

export interface PlaceFileOptions extends TreeEntryOptions {
  /** Bytes; only a function does not say it itself. */
  size?: number | undefined;
}

interface TreeEntry {
  /** From the root, with `/` between its names. */
  readonly path: string;
  readonly mode: number;
  readonly modified?: Date | undefined;
  readonly system?: unknown;
}

export interface TreeFile extends TreeEntry {
  readonly type: 'file';
  readonly size: number;
  /** Opened when somebody reads it. */
  readonly content: ReopenableContent;
}

export interface TreeDirectory extends TreeEntry {
  readonly type: 'directory';
}

interface TreeNode {
  entry: Omit<TreeFile, 'path'> | Omit<TreeDirectory, 'path'>;
  children: Map<string, TreeNode>;
}

/**
 * Files and directories that exist nowhere yet: one definition for a directory, an archive, a disk's image. Names and sizes are in memory, the
 * content is wherever it is.
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
   * Places a file, and directories above it where there are none.
   *
   * @throws TypeError if the path is malformed, is taken, or leads through a file; if nothing tells the size
   */
  placeFile(path: string, content: ReopenableContent, options: PlaceFileOptions = {}): void {
    const { mode = 0o644, modified, system } = options;
    const size = options.size ?? sizeOf(content);
    if (size === undefined) throw new TypeError(`the size of ${JSON.stringify(path)} is not known`);
    this.#place(path, { entry: { type: 'file', mode, modified, system, size, content }, children: new Map() });
  }

  /**
   * Places a directory with all that is in another tree. What is placed in that one later is not here.
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
      if (next.entry.type === 'file') throw new TypeError(`${JSON.stringify(path)} leads through a file`);
      at.children.set(name, next);
      at = next;
    }
    if (at.children.has(last)) throw new TypeError(`${JSON.stringify(path)} is there already`);
    at.children.set(last, node);
  }

  /** What is at a path, if anything is. */
  get(path: string): TreeFile | TreeDirectory | undefined {
    let at: TreeNode | undefined = this.#root;
    for (const name of namesIn(path)) at = at?.children.get(name);
    return at === undefined ? undefined : { ...at.entry, path };
  }

  /** All entries, each directory before what is in it, in the order in which they were placed. */
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

/** What leads out of a directory on any system, or is no text, is no path here. */
const invalidName = /^\.{0,2}$|[\\\0]|\p{Surrogate}/u;

function namesIn(path: string): string[] {
  const names = path.split('/');
  if (names.some((name) => invalidName.test(name))) throw new TypeError(`${JSON.stringify(path)} is not a file's path`);
  return names;
}
