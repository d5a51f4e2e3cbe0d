// The places of uploads, and which of them a caller may name.
import { RegistryError } from '../../../model/index.ts';
import { buildPath } from '../../wire/index.ts';
import { isSafe, setBounded, urlIn } from '../shared/index.ts';

/** Uploads that are remembered; beyond that, the oldest are forgotten. */
const maxRemembered = 4096;

/** The place of one upload. */
export interface UploadPlace {
  /** The URL of its next request. */
  location: URL;
  /** Bytes that it had when this client last heard of it; undefined if the client never did. */
  size: number | undefined;
}

/**
 * The places of uploads. The id of an upload is that URL, and ids may come from strangers: a proxy takes them from its
 * clients. Such an id must not lead to another host, nor to anything but an upload of this repository.
 */
export class UploadPlaces {
  readonly #base: URL;
  readonly #remembered = new Map<string, { repository: string; size: number | undefined }>();

  constructor(base: URL) {
    this.#base = base;
  }

  /** Remembers a place that the registry has named, and the bytes of the upload, if they are known. */
  remember(repository: string, { href }: URL, size: number | undefined): void {
    setBounded(this.#remembered, href, { repository, size }, maxRemembered);
  }

  /** Forgets a place where the upload no longer continues. */
  forget({ href }: URL): void {
    this.#remembered.delete(href);
  }

  /**
   * The place of an upload: one that the registry has named to this client, or one where uploads of the repository are.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN
   */
  find(repository: string, id: string): UploadPlace {
    const location = urlIn(id);
    const known = location === undefined ? undefined : this.#remembered.get(location.href);
    if (location === undefined || !(known?.repository === repository || this.#isBelow(repository, location))) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `${repository} has no upload with this id`);
    }
    return { location, size: known?.size };
  }

  /**
   * Whether a URL is one segment below the repository's uploads: `uploads/x/manifests/latest` would be a manifest of
   * another repository. A digest in the query would end the upload.
   */
  #isBelow(repository: string, location: URL): boolean {
    const { origin, pathname, searchParams, hash } = location;
    const start = buildPath({ resource: 'uploads', repository });
    return (
      origin === this.#base.origin &&
      isSafe(location, this.#base) &&
      hash === '' &&
      pathname.startsWith(start) &&
      /^[^/%\\]+$/.test(pathname.slice(start.length)) &&
      !['digest', 'mount', 'from'].some((name) => searchParams.has(name))
    );
  }
}
