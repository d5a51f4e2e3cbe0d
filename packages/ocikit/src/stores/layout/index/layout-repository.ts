import type { Descriptor, Digest } from '../../../model/index.ts';

import { RepositoryIndex } from '../../repository/index.ts';

/** Who names what is not followed here. */
const nothing: readonly Digest[] = [];

/** How a manifest refers to its subject. */
interface SubjectLink {
  subject: Digest | undefined;
  referrer: Descriptor | undefined;
}

/** A repository's part of a layout. */
export class LayoutRepository {
  readonly index: RepositoryIndex = new RepositoryIndex();
  /** Manifests without an entry of their own: an index names them. */
  readonly implicit: Set<Digest> = new Set();
  /** Manifests that other tools wrote and nobody has looked into yet. */
  readonly unparsed: Set<Digest> = new Set();
  /** Other tools' entries, with what only they know of them, by tag. */
  readonly foreign: Map<string, Descriptor> = new Map();
  /** Those that have no tag: each is something of its own, whoever tags the same digest. */
  readonly foreignUntagged: Map<Digest, Descriptor[]> = new Map();
  /** Set while somebody looks into what is unparsed. */
  exploring: Promise<void> | undefined;

  /** @param createdAt if it is not known already */
  putManifest(descriptor: Descriptor, createdAt: number, link?: SubjectLink): void {
    const { subject, referrer } = link ?? {};
    this.index.putManifest({ descriptor, links: nothing, subject, referrer }, createdAt);
  }
}
