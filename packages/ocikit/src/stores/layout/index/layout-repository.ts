// The content of one repository in a layout.
import type { Descriptor, Digest } from '../../../model/index.ts';

import { RepositoryIndex } from '../../repository/index.ts';

/** This index does not track the links of manifests, so the list is empty. */
const nothing: readonly Digest[] = [];

/** The link of a manifest to its subject. */
interface SubjectLink {
  subject: Digest | undefined;
  referrer: Descriptor | undefined;
}

/** The content of one repository in a layout. */
export class LayoutRepository {
  /** Tags, manifests, blobs and referrers. */
  readonly index: RepositoryIndex = new RepositoryIndex();
  /** Manifests without an entry of their own in `index.json`: another manifest names them. */
  readonly implicit: Set<Digest> = new Set();
  /** Manifests that other tools wrote and that have not been read yet. */
  readonly unparsed: Set<Digest> = new Set();
  /** Entries that other tools wrote, with their extra fields, by tag. */
  readonly foreign: Map<string, Descriptor> = new Map();
  /** Entries of other tools that have no tag. Each is kept, even if the same digest gets a tag. */
  readonly foreignUntagged: Map<Digest, Descriptor[]> = new Map();
  /** Set while the unparsed manifests are being read. */
  exploring: Promise<void> | undefined;

  /**
   * Adds a manifest, or replaces what is known about it.
   *
   * @param createdAt used if no time is known yet
   */
  putManifest(descriptor: Descriptor, createdAt: number, link?: SubjectLink): void {
    const { subject, referrer } = link ?? {};
    this.index.putManifest({ descriptor, links: nothing, subject, referrer }, createdAt);
  }
}
