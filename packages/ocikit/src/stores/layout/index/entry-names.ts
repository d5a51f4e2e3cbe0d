// How the entries of an `index.json` name repositories and tags.
import { isRepository, parseBareName, parseRelativeReference, tagOfEntry } from '../../../model/index.ts';
import type { Digest, Reference } from '../../../model/index.ts';

/** The meaning of the annotations that name an index entry. */
export interface EntryName {
  /** The repository's name. */
  repository: string;
  /** Undefined if the entry has no tag. */
  tag: string | undefined;
}

/** How the entries of one index are named. */
export interface EntryNames {
  /**
   * Undefined if the name belongs to no repository of this layout.
   *
   * @param refName null if the annotation is not a text
   * @param imageName the whole name, which containerd writes in an annotation of its own
   */
  parse(refName: string | null | undefined, imageName?: string): EntryName | undefined;
  /** The annotation for a manifest; undefined if the entry gets none. */
  format(repository: string, tag: string | undefined, digest: Digest): string | undefined;
}

/**
 * Names in one index for many repositories: `repository:tag` or `repository@digest`. A bare tag belongs to the default
 * repository. Without one, it belongs to the repository in containerd's name for the image.
 */
export function sharedNames(defaultRepository: string | undefined): EntryNames {
  return {
    parse(refName, imageName) {
      const whole = imageName === undefined ? undefined : parseName(imageName);
      if (refName === null) return whole;
      const bare = parseBareName(refName ?? '', whole !== undefined);
      if (bare === undefined) return parseName(refName ?? '') ?? whole;
      if (defaultRepository !== undefined) return { repository: defaultRepository, tag: bare.tag };
      return whole === undefined ? undefined : { repository: whole.repository, tag: bare.tag ?? whole.tag };
    },
    format(repository, tag, digest) {
      if (repository === defaultRepository) return tag;
      return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
    },
  };
}

/**
 * Names in an index of one repository: the bare tag, as nearly every tool writes it. If an entry has a whole name,
 * such as podman's `localhost/app:v1`, only the tag counts: the layout's directory says which repository it is. An
 * entry with an unreadable name has the tag of containerd's name, if there is one.
 */
export function singleNames(repository: string): EntryNames {
  return {
    parse: (refName, imageName) => ({ repository, tag: tagOfEntry(refName, imageName)?.tag }),
    format: (_repository, tag) => tag,
  };
}

/** A repository can be called `docker.io/library/alpine`, so a host in a name is part of the repository. */
function parseName(refName: string): EntryName | undefined {
  const name = parseReferenceIn(withoutPort(refName));
  if (name === undefined) return undefined;
  const repository = name.host === undefined ? name.repository : `${name.host}/${name.repository}`;
  return isRepository(repository) ? { repository, tag: name.tag } : undefined;
}

const hostPattern = /^([\w.-]+)(?::(\d+))?(?=\/)/;

/**
 * A host in lower case, with `_` before its port: no repository's name has a colon or upper-case letters, but the
 * image of another tool must have a name.
 */
function withoutPort(refName: string): string {
  return refName.replace(hostPattern, (first: string, host: string, port: string | undefined) => {
    if (port !== undefined) return `${host.toLowerCase()}_${port}`;
    // Without a dot it is no host, but a part of the repository's name.
    return host.includes('.') ? host.toLowerCase() : first;
  });
}

function parseReferenceIn(refName: string): Reference | undefined {
  try {
    return parseRelativeReference(refName);
  } catch {
    return undefined;
  }
}
