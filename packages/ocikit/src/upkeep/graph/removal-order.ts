// The order in which manifests may be removed while clients use the registry.
import type { Digest } from '../../model/index.ts';

import type { ManifestLinks } from './manifest-links.ts';
import type { RepositoryGraph } from './repository-graph.ts';

/**
 * The order in which unreachable manifests may be removed: each after all manifests that name it, and after its
 * subject.
 *
 * A client may start to use such a manifest again during the removal. It then uses the manifest or a parent of it.
 * Because parents are removed first, everything below the used manifest is still there.
 */
export class RemovalOrder {
  /** For each manifest that is still to be removed: how many others of them name it. */
  readonly #parents = new Map<Digest, number>();
  /** Manifests whose subject has to be removed first. */
  readonly #subjects = new Set<Digest>();
  readonly #children = new Map<Digest, readonly Digest[]>();
  readonly #referrers = new Map<Digest, Digest[]>();
  /** The manifests that have to be removed before each one. */
  readonly #before = new Map<Digest, Digest[]>();

  /**
   * Adds a manifest that is to be removed.
   *
   * @param among tells whether a linked manifest is to be removed too; the others do not delay anything
   */
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

  /** The manifests that have to be removed before this one: those that name it, and its subject. */
  before(digest: Digest): readonly Digest[] {
    return this.#before.get(digest) ?? [];
  }

  #addBefore(digest: Digest, first: Digest): void {
    const before = this.#before.get(digest);
    if (before === undefined) this.#before.set(digest, [first]);
    else before.push(first);
  }

  /** Gives sets of manifests. Each set may be removed when the sets before it are gone. */
  *waves(): Generator<Digest[], void, undefined> {
    let ready = this.#withoutParents((digest) => !this.#subjects.has(digest));
    while (this.#parents.size > 0) {
      // A manifest may name its own subject's parent: a circle. Then naming counts and the subject does not.
      const wave = ready.length > 0 ? ready : this.#withoutParents(() => true);
      // Manifests cannot name each other in a circle: a digest is known only after its content.
      if (wave.length === 0) return;
      ready = [];
      for (const digest of wave) this.#parents.delete(digest);
      yield wave;
      for (const digest of wave) ready.push(...this.#release(digest));
    }
  }

  #withoutParents(also: (digest: Digest) => boolean): Digest[] {
    return [...this.#parents].filter(([digest, parents]) => parents === 0 && also(digest)).map(([digest]) => digest);
  }

  /** Notes that a manifest is gone, and gives those that waited for it alone. */
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

/**
 * Gives the removal order for all unreachable manifests of a graph.
 *
 * @param onLinks called with the links of each of these manifests; `missing` or `corrupt` if they cannot be known
 */
export async function removalOrderOf(
  graph: RepositoryGraph,
  onLinks?: (digest: Digest, links: ManifestLinks | 'missing' | 'corrupt') => void,
): Promise<RemovalOrder> {
  const order = new RemovalOrder();
  const isUnreached = (digest: Digest): boolean => graph.manifests.has(digest) && !graph.reached.has(digest);
  for (const { descriptor } of graph.unreached()) {
    const links = await graph.linksOf(descriptor);
    onLinks?.(descriptor.digest, links);
    const {
      blobs,
      manifests,
      subject: own,
    } = typeof links === 'string' ? { blobs: [], manifests: [], subject: undefined } : links;
    const subject = own ?? graph.attachments.get(descriptor.digest)?.subjects.find(isUnreached);
    // A manifest to which an index gives an unknown type counts as one of the index's blobs.
    const digests = [...manifests, ...blobs].map(({ digest }) => digest);
    order.add(descriptor.digest, { manifests: digests, subject }, isUnreached);
    await graph.giveWay();
  }
  return order;
}
