import type { Digest } from '../../model/index.ts';

import type { RepositoryGraph } from './repository-graph.ts';

/**
 * The order in which manifests that nobody reaches may go: one after all that name it, and after its subject. Whoever
 * needs one of them again while they are removed names it or its parent, which is then found to be in use, with all that it names
 * still there.
 */
export class RemovalOrder {
  /** How many manifests name it that have not gone. */
  readonly #parents = new Map<Digest, number>();
  /** Those that wait for their subject. */
  readonly #subjects = new Set<Digest>();
  readonly #children = new Map<Digest, readonly Digest[]>();
  readonly #referrers = new Map<Digest, Digest[]>();
  /** What has to go before it. */
  readonly #before = new Map<Digest, Digest[]>();

  /** @param among what may be named: everything else need not wait */
  add(
    digest: Digest,
    { manifests, subject }: { manifests: readonly Digest[]; subject: Digest | undefined },
    among: (digest: Digest) => boolean,
  ): void {
    if (!this.#parents.has(digest)) this.#parents.set(digest, 0);
    const children = [...new Set(manifests)].filter((child) => child !== digest && among(child));
    this.#children.set(digest, children);
    for (const child of children) {
      this.#parents.set(child, (this.#parents.get(child) ?? 0) + 1);
      this.#addBefore(child, digest);
    }
    if (subject === undefined || subject === digest || !among(subject)) return;
    this.#subjects.add(digest);
    this.#addBefore(digest, subject);
    const referrers = this.#referrers.get(subject);
    if (referrers === undefined) this.#referrers.set(subject, [digest]);
    else referrers.push(digest);
  }

  /** What names it, and its subject, as far as they are to go too. */
  before(digest: Digest): readonly Digest[] {
    return this.#before.get(digest) ?? [];
  }

  #addBefore(digest: Digest, first: Digest): void {
    const before = this.#before.get(digest);
    if (before === undefined) this.#before.set(digest, [first]);
    else before.push(first);
  }

  /** Sets of manifests, each of which may go when those before have. */
  *waves(): Generator<Digest[], void, undefined> {
    let ready = this.#without((digest) => !this.#subjects.has(digest));
    while (this.#parents.size > 0) {
      // A manifest may name its subject's parent. What names something counts for more than what refers to it.
      const wave = ready.length > 0 ? ready : this.#without(() => true);
      // Nothing names itself by way of others: that would take a digest that is known before its content.
      if (wave.length === 0) return;
      ready = [];
      for (const digest of wave) this.#parents.delete(digest);
      yield wave;
      for (const digest of wave) ready.push(...this.#release(digest));
    }
  }

  #without(also: (digest: Digest) => boolean): Digest[] {
    return [...this.#parents].filter(([digest, parents]) => parents === 0 && also(digest)).map(([digest]) => digest);
  }

  /** What waited for this one alone. */
  #release(gone: Digest): Digest[] {
    const freed: Digest[] = [];
    const free = (digest: Digest): void => {
      if (this.#parents.get(digest) === 0 && !this.#subjects.has(digest)) freed.push(digest);
    };
    for (const child of this.#children.get(gone) ?? []) {
      const parents = this.#parents.get(child);
      if (parents === undefined) continue;
      this.#parents.set(child, parents - 1);
      free(child);
    }
    for (const referrer of this.#referrers.get(gone) ?? []) {
      if (this.#subjects.delete(referrer)) free(referrer);
    }
    return freed;
  }
}

/** The order of those that are not reached. */
export async function removalOrderOf(graph: RepositoryGraph): Promise<RemovalOrder> {
  const order = new RemovalOrder();
  const isUnreached = (digest: Digest): boolean => graph.manifests.has(digest) && !graph.reached.has(digest);
  for (const { descriptor } of graph.unreached()) {
    const named = await graph.named(descriptor);
    const { manifests, subject } = typeof named === 'string' ? { manifests: [], subject: undefined } : named;
    const digests = manifests.map(({ digest }) => digest);
    order.add(descriptor.digest, { manifests: digests, subject }, isUnreached);
    await graph.giveWay();
  }
  return order;
}
