// The form of a row in the table of rooms, and how a folder is called in it.

/** A room: one folder of source files, and what these may import. */
export interface Room {
  /** The rooms that it may import. A row `x/*` is imported as `x/*`. */
  readonly imports: readonly string[];
  /** Its files that other rooms may import besides `index.ts`; `['*']` if any. */
  readonly doors?: readonly string[];
  /** Its files that rooms of the same wing may import as well: those below the same outermost room. `['*']` if any. */
  readonly innerDoors?: readonly string[];
  /** Its files that may import `node:` modules, and each other; `['*']` if all may. */
  readonly node?: readonly string[];
  /** Modules of Node of which all its files may import types. */
  readonly nodeTypes?: readonly string[];
  /** Packages from outside that it may import. */
  readonly packages?: readonly string[];
  /** Its folder does not exist yet. */
  readonly toCome?: true;
  /** It serves tests, and may import what a test may. */
  readonly tests?: true;
}

/** From the name of a room to its row. */
export type Rooms = Readonly<Record<string, Room>>;

/** Names of folders in the table: the library's rooms have no prefix. */
const prefixes: readonly (readonly [folder: string, name: string])[] = [
  ['packages/ocikit/src', ''],
  ['packages/cli/src', 'cli'],
  ['packages/web/src', 'web'],
];

/** The name that a file's folder has in the table. */
export function roomNameOf(path: string): string {
  const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.';
  for (const [prefix, name] of prefixes) {
    if (folder === prefix) return name === '' ? folder : name;
    if (folder.startsWith(`${prefix}/`)) return `${name}${name === '' ? '' : '/'}${folder.slice(prefix.length + 1)}`;
  }
  return folder;
}

/** The key of the row for a room: its name, or `x/*` for any folder of `x`. */
export function rowOf(rooms: Rooms, name: string): string | undefined {
  if (name in rooms) return name;
  const any = name.replace(/[^/]+$/, '*');
  return any in rooms ? any : undefined;
}

/** The outermost room around a room, or the room itself. */
export function wingOf(rooms: Rooms, name: string): string {
  const parts = name.split('/');
  const around = parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  return around.find((outer) => outer in rooms) ?? name;
}
