// Many patterns as one tree, so that a look-up costs the same for ten patterns and for ten thousand.
import { fits } from './pattern.ts';
import type { Segment } from './pattern.ts';

interface Node<Value> {
  readonly texts: Map<string, Node<Value>>;
  /** By the text of their pieces. */
  readonly globs: Map<string, { pieces: readonly (readonly string[])[]; node: Node<Value> }>;
  /** Any number of parts lie between this node and that one. */
  any: Node<Value> | undefined;
  readonly isAny: boolean;
  value: Value | undefined;
}

/** Values by pattern. */
export class PatternTree<Value> {
  readonly #root = nodeOf<Value>(false);

  /** The value of a pattern; made by `create` if it has none yet. */
  at(pattern: readonly Segment[], create: () => Value): Value {
    let node = this.#root;
    for (const segment of pattern) node = childOf(node, segment);
    node.value ??= create();
    return node.value;
  }

  /**
   * The values of all patterns that a name fits.
   *
   * @param user stands for `${user}`; undefined: patterns with it match nothing
   */
  find(name: string, user: string | undefined): Value[] {
    let nodes = withAny([this.#root]);
    for (const text of name.split('/')) {
      const next: Node<Value>[] = [];
      for (const node of nodes) {
        if (node.isAny) next.push(node);
        const exact = node.texts.get(text);
        if (exact !== undefined) next.push(exact);
        for (const { pieces, node: child } of node.globs.values()) if (fits(pieces, text, user)) next.push(child);
      }
      if (next.length === 0) return [];
      nodes = withAny(next);
    }
    return Array.from(nodes, ({ value }) => value).filter((value) => value !== undefined);
  }
}

function nodeOf<Value>(isAny: boolean): Node<Value> {
  return { texts: new Map(), globs: new Map(), any: undefined, isAny, value: undefined };
}

/** `**` may stand for no part at all. Each node is there once, so that the number of steps stays bounded. */
function withAny<Value>(nodes: readonly Node<Value>[]): Set<Node<Value>> {
  const all = new Set(nodes);
  for (const { any } of all) if (any !== undefined) all.add(any);
  return all;
}

function childOf<Value>(node: Node<Value>, segment: Segment): Node<Value> {
  if (segment.kind === 'any') return (node.any ??= nodeOf(true));
  if (segment.kind === 'text') return getOrSet(node.texts, segment.text, () => nodeOf(false));
  const { pieces } = segment;
  return getOrSet(node.globs, JSON.stringify(pieces), () => ({ pieces, node: nodeOf<Value>(false) })).node;
}

/** The value of a key, which is made if there is none. */
export function getOrSet<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = create();
  map.set(key, made);
  return made;
}
