// Compares what every file imports with the table of rooms.
import { posix } from 'node:path';

import { circlesOf, type Edge } from './circles.ts';
import { importsOf, type Import } from './imports.ts';
import { Resolver, type Target } from './resolve.ts';
import { roomNameOf, rowOf, wingOf, type Room, type Rooms } from './room.ts';
import { isTest, type Sources } from './sources.ts';

/** The rules that a complaint may be about. */
export type Rule = 'room' | 'arrow' | 'door' | 'circle' | 'node' | 'package' | 'target' | 'unused' | 'to come';

/** Something that does not hold. */
export interface Complaint {
  readonly rule: Rule;
  /** `file:line`, or the row of the table. */
  readonly at: string;
  readonly problem: string;
  readonly remedy: string;
}

/** The imports that the files of one row really have: the row that the table should have. */
export class Use {
  readonly imports = new Set<string>();
  readonly doors = new Set<string>();
  readonly innerDoors = new Set<string>();
  readonly node = new Set<string>();
  readonly nodeTypes = new Set<string>();
  readonly packages = new Set<string>();
}

/** The outcome for one tree. */
export interface Outcome {
  readonly complaints: readonly Complaint[];
  /** By the key of the row. */
  readonly uses: ReadonlyMap<string, Use>;
}

const table = 'test/structure/rooms.ts';

/** Compares a tree with a table. */
export function checkArrows(sources: Sources, rooms: Rooms): Outcome {
  return new Check(sources, rooms).outcome();
}

interface Place {
  readonly path: string;
  /** The room's name, the key of its row, and the row. */
  readonly name: string;
  readonly key: string;
  readonly room: Room;
  /** The file may import what tests may. */
  readonly loose: boolean;
}

class Check {
  readonly #complaints: Complaint[] = [];
  readonly #uses = new Map<string, Use>();
  readonly #graph = new Map<string, Edge[]>();
  readonly #places = new Map<string, Place>();
  readonly #rooms: Rooms;
  readonly #sources: Sources;
  readonly #resolver: Resolver;

  constructor(sources: Sources, rooms: Rooms) {
    this.#sources = sources;
    this.#rooms = rooms;
    this.#resolver = new Resolver(sources);
  }

  outcome(): Outcome {
    const files = [...this.#sources.keys()].filter((path) => /\.[cm]?[jt]s$/.test(path));
    for (const path of files) this.#place(path);
    for (const place of this.#places.values()) this.#checkFile(place);
    for (const file of this.#resolver.exportedFiles()) this.#useExport(file);
    this.#checkCircles();
    this.#checkTable();
    this.#checkFloors();
    return { complaints: this.#complaints, uses: this.#uses };
  }

  #complain(rule: Rule, at: string, problem: string, remedy: string): void {
    this.#complaints.push({ rule, at, problem, remedy });
  }

  #place(path: string): void {
    const name = roomNameOf(path);
    const key = rowOf(this.#rooms, name) ?? name;
    const room = this.#rooms[key];
    this.#places.set(path, {
      path,
      name,
      key,
      room: room ?? { imports: [] },
      loose: room?.tests === true || isTest(path),
    });
    if (room === undefined) {
      this.#complain('room', path, 'its folder is no room', `Move the file, or give ${table} a row '${name}'.`);
    }
    if (!this.#uses.has(key)) this.#uses.set(key, new Use());
  }

  #use(key: string): Use {
    return this.#uses.get(key) ?? new Use();
  }

  #checkFile(from: Place): void {
    const edges: Edge[] = [];
    for (const found of importsOf(from.path, this.#sources.get(from.path) ?? '')) {
      const at = `${from.path}:${found.line}`;
      if (found.specifier === undefined) {
        if (!from.loose)
          this.#complain('target', at, 'imports a module that only running it tells', 'Name the module as a string.');
        continue;
      }
      const target = this.#resolver.resolve(from.path, found.specifier);
      if (target.kind === 'missing') {
        this.#complain('target', at, `imports '${found.specifier}', which does not exist`, 'Correct the path.');
      } else if (target.kind === 'node') {
        this.#checkNode(from, at, found, target.name);
      } else if (target.kind === 'package') {
        this.#checkPackage(from, at, target.name);
      } else if (target.kind === 'files') {
        for (const file of target.files) {
          edges.push({ to: file, line: found.line });
          this.#checkArrow(from, at, found, target, file);
        }
      }
    }
    if (!from.loose) this.#graph.set(from.path, edges);
  }

  #checkArrow(from: Place, at: string, found: Import, target: Target & { kind: 'files' }, file: string): void {
    const to = this.#places.get(file);
    if (to === undefined) return;
    if (isTest(file)) {
      this.#complain('arrow', at, `imports the test ${file}`, 'Move what they share to a file that is no test.');
    }
    if (from.name === to.name) {
      this.#checkNodeFile(from, at, found, to);
      return;
    }
    if (!from.loose) {
      this.#use(from.key).imports.add(to.key);
      if (!from.room.imports.includes(to.key)) {
        this.#complain(
          'arrow',
          at,
          `'${from.key}' may not import '${to.key}' (${found.specifier ?? ''})`,
          `Move what both need to a room below them. If the arrow is right, add '${to.key}' to the row '${from.key}' of ${table}.`,
        );
      }
    }
    const sameWing = wingOf(this.#rooms, from.name) === wingOf(this.#rooms, to.name);
    if (sameWing && isTest(from.path)) return;
    this.#checkDoor(from, at, target, to, sameWing);
  }

  #checkDoor(from: Place, at: string, target: Target & { kind: 'files' }, to: Place, sameWing: boolean): void {
    const name = posix.basename(to.path);
    if (target.by === 'path' && packageOf(from.path) !== packageOf(to.path) && isLibrary(to.path) && !from.loose) {
      this.#complain('door', at, `imports ${to.path} by its path`, 'Import it by the name of its package: ocikit/….');
    }
    if (target.by === 'package' && packageOf(from.path) === packageOf(to.path) && !from.loose) {
      this.#complain('door', at, 'imports its own package by name', `Import ${to.path} by its path.`);
    }
    if (target.by === 'hash' || name === 'index.ts') return;
    const { doors = [], innerDoors = [] } = to.room;
    const use = this.#use(to.key);
    if (isListed(doors, name)) {
      use.doors.add(name);
    } else if (sameWing && isListed(innerDoors, name)) {
      use.innerDoors.add(name);
    } else {
      (sameWing ? use.innerDoors : use.doors).add(name);
      this.#complain(
        'door',
        at,
        `imports ${to.path}, which is no door of '${to.key}'`,
        `Import the room's index.ts. If the file is a door, add '${name}' to ${sameWing ? 'innerDoors' : 'doors'} in the row '${to.key}' of ${table}.`,
      );
    }
  }

  /** A package's exports use the doors that they are made of. */
  #useExport(file: string): void {
    const place = this.#places.get(file);
    const name = posix.basename(file);
    if (place === undefined || name === 'index.ts') return;
    this.#use(place.key).doors.add(name);
    if (isListed(place.room.doors ?? [], name)) return;
    this.#complain(
      'door',
      file,
      `is exported by its package, and is no door of '${place.key}'`,
      `Add '${name}' to doors in the row '${place.key}' of ${table}.`,
    );
  }

  #checkNode(from: Place, at: string, found: Import, module: string): void {
    if (from.loose) return;
    const name = posix.basename(from.path);
    const { node = [], nodeTypes = [] } = from.room;
    const use = this.#use(from.key);
    const remedy = `Move the code to a room of Node, or let the row '${from.key}' of ${table} allow it:`;
    if (isListed(node, name)) {
      use.node.add(name);
    } else if (found.typeOnly) {
      use.nodeTypes.add(module);
      if (nodeTypes.includes(module)) return;
      const problem = `imports types of '${module}', which '${from.key}' may not`;
      this.#complain('node', at, problem, `${remedy} '${module}' in nodeTypes.`);
    } else {
      use.node.add(name);
      this.#complain(
        'node',
        at,
        `imports '${module}', and '${from.key}' runs everywhere`,
        `${remedy} '${name}' in node.`,
      );
    }
  }

  /** Inside a room that runs everywhere, files of Node are imported by files of Node, or their types only. */
  #checkNodeFile(from: Place, at: string, found: Import, to: Place): void {
    const node = from.room.node ?? [];
    if (from.loose || found.typeOnly || node.includes('*')) return;
    const name = posix.basename(from.path);
    if (!node.includes(posix.basename(to.path))) return;
    this.#use(from.key).node.add(name);
    if (node.includes(name)) return;
    this.#complain(
      'node',
      at,
      `imports ${to.path}, which only Node runs`,
      `Add '${name}' to node in the row '${from.key}' of ${table}.`,
    );
  }

  #checkPackage(from: Place, at: string, name: string): void {
    if (from.loose) return;
    this.#use(from.key).packages.add(name);
    if (from.room.packages?.includes(name) === true) return;
    this.#complain(
      'package',
      at,
      `'${from.key}' may not import the package '${name}'`,
      `Do without it, or add '${name}' to packages in the row '${from.key}' of ${table}.`,
    );
  }

  #checkCircles(): void {
    for (const { files, shortest } of circlesOf(this.#graph)) {
      const [first] = shortest;
      const way = [...shortest.map(({ file, line }) => `${file}:${line}`), first?.file ?? ''].join(' → ');
      const others = files.length > shortest.length ? ` (${files.length} files import each other this way)` : '';
      this.#complain(
        'circle',
        `${first?.file ?? ''}:${first?.line ?? 0}`,
        `a circle: ${way}${others}`,
        'Move what they share, types too, to a file below them.',
      );
    }
  }

  /** Each entry of the table has to be in use: so it shows the imports that there are. */
  #checkTable(): void {
    const imported = new Set(Object.values(this.#rooms).flatMap((room) => room.imports));
    for (const [key, room] of Object.entries(this.#rooms)) {
      const at = `the row '${key}' of ${table}`;
      const exists = this.#uses.has(key);
      if (room.toCome === true && exists) {
        this.#complain(
          'to come',
          at,
          'is said to be still to come, and its folder exists',
          'Take toCome out of the row.',
        );
      }
      if (room.toCome !== true && !exists) {
        this.#complain('to come', at, 'has no folder with source files', 'Take the row out, or give it toCome: true.');
      }
      for (const name of room.imports.filter((other) => !(other in this.#rooms))) {
        this.#complain('unused', at, `imports '${name}', which has no row`, `Give '${name}' a row, or take it out.`);
      }
      if (room.toCome === true && !imported.has(key)) {
        this.#complain('unused', at, 'is still to come, and no row imports it', 'Say who will, or take it out.');
      }
      if (!exists || room.toCome === true) continue;
      const use = this.#use(key);
      const imports = room.imports.filter((other) => this.#rooms[other]?.toCome !== true);
      this.#checkUnused(at, 'imports', imports, use.imports);
      this.#checkUnused(at, 'doors', room.doors, use.doors);
      this.#checkUnused(at, 'innerDoors', room.innerDoors, use.innerDoors);
      this.#checkUnused(at, 'node', room.node, use.node);
      this.#checkUnused(at, 'nodeTypes', room.nodeTypes, use.nodeTypes);
      this.#checkUnused(at, 'packages', room.packages, use.packages);
    }
  }

  /** Rooms stand on floors: imports lead downwards. Only a room and the rooms inside it may import each other. */
  #checkFloors(): void {
    const graph = Object.entries(this.#rooms).map(([key, { imports }]) => {
      const below = imports.filter((other) => other !== key && !key.startsWith(`${other}/`));
      return [key, below.map((to) => ({ to, line: 0 }))] as const;
    });
    for (const { shortest } of circlesOf(new Map(graph))) {
      const way = shortest.map(({ file }) => `'${file}'`);
      this.#complain(
        'circle',
        table,
        `a circle of rooms: ${[...way, way[0] ?? ''].join(' → ')}`,
        'Move what they share to a room below them.',
      );
    }
  }

  #checkUnused(at: string, field: keyof Use, allowed: readonly string[] = [], used: ReadonlySet<string>): void {
    for (const name of allowed.filter((each) => !used.has(each) && !(each === '*' && used.size > 0))) {
      this.#complain('unused', at, `has '${name}' in ${field}, and no file uses it`, 'Take it out.');
    }
  }
}

function isListed(doors: readonly string[], name: string): boolean {
  return doors.includes('*') || doors.includes(name);
}

function packageOf(path: string): string {
  return /^packages\/[^/]+/.exec(path)?.[0] ?? '';
}

function isLibrary(path: string): boolean {
  return path.startsWith('packages/ocikit/src/');
}
