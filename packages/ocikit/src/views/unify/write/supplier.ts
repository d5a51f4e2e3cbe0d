// Copies content to a member that lacks it from a member that has it.
import { isRegistryError, linksOf, parseManifestInTurn } from '../../../model/index.ts';
import type {
  BlobContent,
  CallOptions,
  Descriptor,
  Digest,
  Manifest,
  PushedManifest,
  PushManifestOptions,
} from '../../../model/index.ts';

import { isUnknown } from '../members/index.ts';
import type { Member } from '../members/index.ts';
import { contentReader } from '../read/index.ts';
import type { ContentReader } from '../read/index.ts';

/** Depth of indexes inside a pushed index. */
const deepest = 8;

/** Copies content that one member lacks from another member. */
export class Supplier {
  readonly #members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.#members = members;
  }

  /** Copies the blob, unless the member has it. Rejects with BLOB_UNKNOWN, NAME_UNKNOWN if no member has it. */
  async blob(to: Member, repository: string, digest: Digest, { signal, context }: CallOptions): Promise<Descriptor> {
    const call = { signal, context };
    try {
      return await to.registry.resolveBlob(repository, digest, call);
    } catch (error) {
      if (!isUnknown(error)) throw error;
    }
    const from = this.#othersThan(to);
    const { size } = await from.resolveBlob(repository, digest, call);
    const opened: BlobContent[] = [];
    const open = async (): Promise<BlobContent> => {
      const content = await from.getBlob(repository, digest, { ...call, size });
      opened.push(content);
      return content;
    };
    try {
      return await to.registry.pushBlob(repository, { digest, size }, open, call);
    } finally {
      // A content that was opened and not read would hold its connection.
      await Promise.all(opened.map((content) => content.cancel()));
    }
  }

  /**
   * Pushes a manifest to a member. First copies content that the manifest names and the member lacks: a client that saw
   * the content in another member does not push it.
   */
  async pushManifest(
    to: Member,
    repository: string,
    bytes: Uint8Array,
    mediaType: string,
    options: PushManifestOptions,
    depth = 0,
  ): Promise<PushedManifest> {
    const push = (): Promise<PushedManifest> => to.registry.pushManifest(repository, bytes, mediaType, options);
    try {
      return await push();
    } catch (error) {
      if (!isRegistryError(error, 'MANIFEST_BLOB_UNKNOWN') || depth > deepest) throw error;
      try {
        await this.#links(to, repository, { bytes, mediaType }, options, depth);
      } catch (missing) {
        // If no member has the content, the manifest is wrong.
        throw isUnknown(missing) ? error : missing;
      }
    }
    return push();
  }

  async #links(
    to: Member,
    repository: string,
    { bytes, mediaType }: { bytes: Uint8Array; mediaType: string },
    { signal, context }: CallOptions,
    depth: number,
  ): Promise<void> {
    const call = { signal, context };
    const document = await parseManifestInTurn(bytes, mediaType);
    const { blobs, manifests } = linksOf(document);
    for (const { digest, urls = [] } of blobs) {
      if (urls.length > 0) continue;
      try {
        await this.blob(to, repository, digest, call);
      } catch (error) {
        // An index may give a manifest an unknown type, so that it counts as a blob.
        if (document.kind !== 'index' || !isUnknown(error)) throw error;
        await this.#manifest(to, repository, digest, call, depth);
      }
    }
    for (const { digest, urls = [] } of manifests) {
      if (urls.length === 0) await this.#manifest(to, repository, digest, call, depth);
    }
  }

  /** Copies a manifest that an index names, with all that it names, unless the member has it. */
  async #manifest(to: Member, repository: string, digest: Digest, call: CallOptions, depth: number): Promise<void> {
    if (await hasManifest(to, repository, digest, call)) return;
    const { bytes, descriptor }: Manifest = await this.#othersThan(to).getManifest(repository, digest, call);
    await this.pushManifest(to, repository, bytes, descriptor.mediaType, { ...call, digest }, depth + 1);
  }

  #othersThan(to: Member): ContentReader {
    return contentReader(
      this.#members.filter((member) => member !== to),
      'sequential',
    );
  }
}

async function hasManifest(
  { registry }: Member,
  repository: string,
  digest: Digest,
  call: CallOptions,
): Promise<boolean> {
  try {
    await registry.resolveManifest(repository, digest, call);
    return true;
  } catch (error) {
    if (isUnknown(error)) return false;
    throw error;
  }
}
