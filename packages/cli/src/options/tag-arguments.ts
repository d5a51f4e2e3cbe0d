import { InvalidArgumentError } from 'commander';
import { isRepository, isTag } from 'ocikit';

/** A repository of a directory, or one of its tags. */
export interface Tagged {
  repository: string;
  tag: string | undefined;
}

/** A tag of a directory. */
export interface TagName {
  repository: string;
  tag: string;
}

/** @throws InvalidArgumentError if it is no `REPOSITORY[:TAG]` */
export function parseTagged(text: string): Tagged {
  const [, repository = '', tag] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (isRepository(repository) && (tag === undefined || isTag(tag))) return { repository, tag };
  throw new InvalidArgumentError('It is the name of a repository, and may be followed by a tag: team/app:latest.');
}

/** @throws InvalidArgumentError if it is no `REPOSITORY:TAG` */
export function parseTag(text: string): TagName {
  const { repository, tag } = parseTagged(text);
  if (tag !== undefined) return { repository, tag };
  throw new InvalidArgumentError('It is a repository and a tag: team/app:latest.');
}

/** @throws InvalidArgumentError if it is no whole number */
export function parseCount(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a whole number.');
}
