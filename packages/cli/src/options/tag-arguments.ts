// Arguments that name a repository or a tag of a directory.
import { InvalidArgumentError } from 'commander';
import { isRepository, isTag } from 'ocikit';

/** A repository of a directory, or one of its tags. */
export interface RepositoryOrTag {
  /** The repository's name. */
  repository: string;
  /** Undefined: the whole repository. */
  tag: string | undefined;
}

/** A tag of a directory. */
export interface TagName {
  /** The repository's name. */
  repository: string;
  /** The tag. */
  tag: string;
}

/**
 * Reads `REPOSITORY[:TAG]`.
 *
 * @throws InvalidArgumentError for anything else
 */
export function parseRepositoryOrTag(text: string): RepositoryOrTag {
  const [, repository = '', tag] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (isRepository(repository) && (tag === undefined || isTag(tag))) return { repository, tag };
  throw new InvalidArgumentError('Give a repository with an optional tag: team/app or team/app:latest.');
}

/**
 * Reads `REPOSITORY:TAG`.
 *
 * @throws InvalidArgumentError for anything else
 */
export function parseTag(text: string): TagName {
  const { repository, tag } = parseRepositoryOrTag(text);
  if (tag !== undefined) return { repository, tag };
  throw new InvalidArgumentError('Give a repository and a tag: team/app:latest.');
}

/**
 * Reads a whole number.
 *
 * @throws InvalidArgumentError for anything else
 */
export function parseCount(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Give a whole number.');
}
