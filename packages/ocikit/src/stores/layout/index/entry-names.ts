import { isRepository, isTag, parseRelativeReference } from '../../../model/index.ts';
import type { Digest, Reference } from '../../../model/index.ts';

/** What an index entry is, by its annotation `org.opencontainers.image.ref.name`. */
export interface EntryName {
  repository: string;
  tag: string | undefined;
}

/** How the entries of one index are named. */
export interface EntryNames {
  /** Undefined if it cannot be told which repository is meant. */
  parse(refName: string | undefined): EntryName | undefined;
  format(repository: string, tag: string | undefined, digest: Digest): string | undefined;
}

/** One index for many repositories: `repository:tag`, `repository@digest`; a bare tag is the default repository's. */
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
 * An index of one repository: the bare tag, as nearly every tool writes it. Of a whole name, such as podman's
 * `localhost/app:v1`, the tag counts: the layout says which repository it is.
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

/** A repository may be called `docker.io/library/alpine`: what was pushed under that name has to be found again. */
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
