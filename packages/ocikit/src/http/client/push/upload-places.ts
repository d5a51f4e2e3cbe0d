import { RegistryError } from '../../../model/index.ts';
import { buildPath } from '../../wire/index.ts';

import { isSafe, remember, urlIn } from '../shared/index.ts';

/** Uploads that are remembered; the oldest of more are forgotten. */
const maxRemembered = 4096;

export interface UploadPlace {
  location: URL;
  /** Bytes that it had when this client last heard of it; undefined if it never did. */
  size: number | undefined;
}

/**
 * Where uploads go on. An upload's id is that URL, and ids may come from strangers: a proxy takes them from its clients, and must
 * not be sent elsewhere by them, nor to what is no upload of this repository.
 */
export class UploadPlaces {
  readonly #base: URL;
  readonly #remembered = new Map<string, { repository: string; size: number }>();

  constructor(base: URL) {
    this.#base = base;
  }

  remember(repository: string, { href }: URL, size: number): void {
    remember(this.#remembered, href, { repository, size }, maxRemembered);
  }

  forget({ href }: URL): void {
    this.#remembered.delete(href);
  }

  /**
   * The place of an upload that this client was told of by the registry, or that is where a registry's uploads are.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN
   */
  find(repository: string, id: string): UploadPlace {
    const location = urlIn(id);
    const known = location === undefined ? undefined : this.#remembered.get(location.href);
    if (location === undefined || !(known?.repository === repository || this.#isBelow(repository, location))) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `${repository} has no such upload`);
    }
    const size = known === undefined || Number.isNaN(known.size) ? undefined : known.size;
    return { location, size };
  }

  /** One segment, as `uploads/x/manifests/latest` would be a manifest of another repository; and no digest of the stranger's own. */
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
