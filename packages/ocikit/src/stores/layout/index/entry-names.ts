// How the entries of an `index.json` name repositories and tags.
import { isRepository, isTag, parseRelativeReference } from '../../../model/index.ts';
import type { Digest, Reference } from '../../../model/index.ts';

/** The meaning of an index entry's annotation `org.opencontainers.image.ref.name`. */
export interface EntryName {
  /** The repository's name. */
  repository: string;
  /** Undefined if the entry has no tag. */
  tag: string | undefined;
}

/** How the entries of one index are named. */
export interface EntryNames {
  /** Undefined if the name belongs to no repository of this layout. */
  parse(refName: string | undefined): EntryName | undefined;
  /** The annotation for a manifest; undefined if the entry gets none. */
  format(repository: string, tag: string | undefined, digest: Digest): string | undefined;
}

/**
 * Names in one index for many repositories: `repository:tag` or `repository@digest`; a bare tag belongs to the
 * default repository.
 */
export function sharedNames(defaultRepository: string | undefined): EntryNames {
  return {
    parse(refName) {
      if (refName === undefined || refName === '') return inDefault(undefined);
      if (isTag(refName)) return inDefault(refName);
      return parseName(refName);
    },
    format(repository, tag, digest) {
      if (repository === defaultRepository) return tag;
      return tag === undefined ? `${repository}@${digest}` : `${repository}:${tag}`;
    },
  };

  function inDefault(tag: string | undefined): EntryName | undefined {
    return defaultRepository === undefined ? undefined : { repository: defaultRepository, tag };
  }
}

/**
 * Names in an index of one repository: the bare tag, as nearly every tool writes it. If an entry has a whole name,
 * such as podman's `localhost/app:v1`, only the tag counts: the layout's directory says which repository it is.
 */
export function singleNames(repository: string): EntryNames {
  return {
    parse(refName) {
      if (refName === undefined || refName === '') return { repository, tag: undefined };
      if (isTag(refName)) return { repository, tag: refName };
      const name = parseReferenceIn(refName);
      return name === undefined ? undefined : { repository, tag: name.tag };
    },
    format: (_repository, tag) => tag,
  };
}

/** A repository can be called `docker.io/library/alpine`, so a host in a name is part of the repository. */
function parseName(refName: string): EntryName | undefined {
  const name = parseReferenceIn(refName);
  if (name === undefined) return undefined;
  const repository = name.host === undefined ? name.repository : `${name.host}/${name.repository}`;
  return isRepository(repository) ? { repository, tag: name.tag } : undefined;
}

function parseReferenceIn(refName: string): Reference | undefined {
  try {
    return parseRelativeReference(refName);
  } catch {
    return undefined;
  }
}
