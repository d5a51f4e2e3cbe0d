// Finds circles of imports, and names of each the shortest way round.

/** An import of one file by another. */
export interface Edge {
  readonly to: string;
  readonly line: number;
}

/** From a file to the files that it imports. */
export type Graph = ReadonlyMap<string, readonly Edge[]>;

/** Files that import each other in a circle. */
export interface Circle {
  /** All files that lie on a circle with each other. */
  readonly files: readonly string[];
  /** One shortest circle among them: each file, and the line at which it imports the next one. */
  readonly shortest: readonly { readonly file: string; readonly line: number }[];
}

/** Lists the circles of a graph: one for each group of files that reach each other. */
export function circlesOf(graph: Graph): Circle[] {
  return groupsOf(graph)
    .map((files) => ({ files: files.toSorted(), shortest: shortestCircle(graph, new Set(files)) }))
    .filter(({ shortest }) => shortest.length > 0);
}

/** Tarjan's strongly connected components, without recursion over the files of a long chain. */
function groupsOf(graph: Graph): string[][] {
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const isOpen = new Set<string>();
  const groups: string[][] = [];
  const begin = (file: string): { file: string; next: number } => {
    order.set(file, order.size);
    lowest.set(file, order.size - 1);
    open.push(file);
    isOpen.add(file);
    return { file, next: 0 };
  };
  const lower = (file: string, value: number): void => {
    lowest.set(file, Math.min(lowest.get(file) ?? value, value));
  };
  for (const start of graph.keys()) {
    if (order.has(start)) continue;
    const stack = [begin(start)];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const to = graph.get(top.file)?.[top.next]?.to;
      top.next += 1;
      if (to !== undefined) {
        if (!order.has(to)) stack.push(begin(to));
        else if (isOpen.has(to)) lower(top.file, order.get(to) ?? 0);
        continue;
      }
      stack.pop();
      const value = lowest.get(top.file) ?? 0;
      const parent = stack.at(-1);
      if (parent !== undefined) lower(parent.file, value);
      if (value === order.get(top.file)) {
        const group = open.splice(open.indexOf(top.file));
        for (const file of group) isOpen.delete(file);
        groups.push(group);
      }
    }
  }
  return groups;
}

function shortestCircle(graph: Graph, files: ReadonlySet<string>): Circle['shortest'] {
  let best: { file: string; line: number }[] = [];
  for (const start of files) {
    const circle = circleThrough(graph, files, start);
    if (circle.length > 0 && (best.length === 0 || circle.length < best.length)) best = circle;
  }
  return best;
}

/** Walks from `start`, nearest files first, until a file imports `start`. */
function circleThrough(graph: Graph, files: ReadonlySet<string>, start: string): { file: string; line: number }[] {
  const cameFrom = new Map<string, { file: string; line: number }>();
  const queue = [start];
  for (const file of queue) {
    for (const { to, line } of graph.get(file) ?? []) {
      if (to === start) {
        const way = [{ file, line }];
        for (let at = cameFrom.get(file); at !== undefined; at = cameFrom.get(at.file)) way.unshift(at);
        return way;
      }
      if (!files.has(to) || cameFrom.has(to)) continue;
      cameFrom.set(to, { file, line });
      queue.push(to);
    }
  }
  return [];
}
