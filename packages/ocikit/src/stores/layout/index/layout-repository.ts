// The content of one repository in a layout.
import type { Descriptor, Digest } from '../../../model/index.ts';

import { RepositoryIndex } from '../../repository/index.ts';

import { KeptEntries } from './kept-entries.ts';
import { isOwned } from './unowned.ts';
import type { Unowned } from './unowned.ts';

/** This index does not track the links of manifests, so the list is empty. */
const nothing: readonly Digest[] = [];

/** Facts of an old snapshot that limit what a manifest proves. */
export interface Doubt {
  /** Milliseconds since the epoch. A manifest that was written before is no proof of ownership. */
  readonly before: number;
  /** Manifests that had not been read at that time. Other tools wrote them, so they are a proof. */
  readonly unread: ReadonlySet<Digest>;
  /** Manifests that belonged to the repository and had no entry. */
  readonly implicit: ReadonlySet<Digest>;
}

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
  /** Manifests that cannot be read. Every digest in their text counts as mentioned. */
  readonly opaque: Set<Digest> = new Set();
  /** Entries that other tools wrote. */
  readonly kept: KeptEntries = new KeptEntries();
  /** The digests that each manifest names and this repository does not own. Only in a shared layout. */
  readonly unowned: Map<Digest, Unowned> = new Map();
  /** Manifests that an earlier version recorded without {@link unowned}. */
  readonly unaudited: Set<Digest> = new Set();
  /** Content that a client has deleted. Manifests that still name it have to say that it is not owned. */
  readonly disowned: Set<Digest> = new Set();
  /** Set if an earlier version wrote the snapshot for another state of the index. */
  doubt: Doubt | undefined;
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

  /** The digests that the manifest names and this repository does not own now. */
  unownedNow(digest: Digest): Unowned | undefined {
    const unowned = this.unowned.get(digest);
    if (unowned === undefined || unowned === '*') return unowned;
    const left = unowned.filter((one) => !isOwned(this.index, one));
    return left.length === 0 ? undefined : left;
  }
}
