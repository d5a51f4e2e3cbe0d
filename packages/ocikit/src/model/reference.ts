import { isDigest, parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { ErrorCode } from './errors.ts';

/** Where something is: `host/repository:tag@digest`, of which a part may be missing. */
export interface Reference {
  /** Host name or address, with its port if it has one. */
  host?: string;
  repository: string;
  tag?: string;
  digest?: Digest;
}

/** The grammar of a repository's name (`<name>` in the distribution specification); at most 255 characters. */
export const repositoryPattern: RegExp =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** The grammar of a tag: at most 128 characters. */
export const tagPattern: RegExp = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';

/** Two labels or more, `localhost`, or a bracketed IPv6 address, each with or without a port; or one label with a port. */
const hostPattern = new RegExp(
  String.raw`^(?:(?:${label}(?:\.${label})+|localhost|\[[a-fA-F0-9:]+\])(?::[0-9]+)?|${label}:[0-9]+)$`,
);

const maxRepositoryLength = 255;

export function isRepository(name: string): boolean {
  return name.length <= maxRepositoryLength && repositoryPattern.test(name);
}

export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

export function isHost(host: string): boolean {
  return hostPattern.test(host);
}

/** @throws RegistryError NAME_INVALID */
export function assertRepository(name: string): void {
  if (!isRepository(name)) {
    throw new RegistryError('NAME_INVALID', `${quote(name)} is not a repository name`, { detail: { name } });
  }
}

/** @throws RegistryError MANIFEST_INVALID (the specification has no code of its own for a tag) */
export function assertTag(tag: string): void {
  if (!isTag(tag)) throw new RegistryError('MANIFEST_INVALID', `${quote(tag)} is not a tag`, { detail: { tag } });
}

/** The part of a reference that could not be parsed. */
export type ReferencePart = 'host' | 'repository' | 'tag' | 'digest';

const codeOfPart: Readonly<Record<ReferencePart, ErrorCode>> = {
  host: 'NAME_INVALID',
  repository: 'NAME_INVALID',
  tag: 'MANIFEST_INVALID',
  digest: 'DIGEST_INVALID',
};

/** A text is not a reference: `part` says where, `cause` why, if there is more to say. */
export class ParseError extends RegistryError {
  override readonly name: string = 'ParseError';
  readonly input: string;
  readonly part: ReferencePart;

  constructor(input: string, part: ReferencePart, reason: string, options?: ErrorOptions) {
    super(codeOfPart[part], `${quote(input)} is not a reference: ${reason}`, options);
    this.input = input;
    this.part = part;
  }
}

/**
 * Parses `host[:port]/repository[:tag][@digest]`; nothing is added and nothing is changed.
 *
 * @throws ParseError also if the host is missing
 */
export function parseReference(text: string): Reference & { host: string } {
  const reference = parseRelativeReference(text);
  const { host } = reference;
  if (host === undefined) throw new ParseError(text, 'host', 'it does not begin with a host');
  return { ...reference, host };
}

/**
 * Parses `[host[:port]/]repository[:tag][@digest]`; nothing is added and nothing is changed.
 *
 * @throws ParseError
 */
export function parseRelativeReference(text: string): Reference {
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : digestIn(text, text.slice(at + 1));
  const named = at < 0 ? text : text.slice(0, at);

  const slash = named.indexOf('/');
  const first = slash < 0 ? '' : named.slice(0, slash);
  const host = slash > 0 && isHost(first) ? first : undefined;
  const path = host === undefined ? named : named.slice(slash + 1);

  const colon = path.indexOf(':');
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  if (tag !== undefined && !isTag(tag)) throw new ParseError(text, 'tag', `${quote(tag)} is not a tag`);
  if (!isRepository(repository)) {
    throw new ParseError(text, 'repository', `${quote(repository)} is not a repository name`);
  }
  return {
    ...(host === undefined ? {} : { host }),
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

const dockerHosts = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/**
 * Parses a reference as `docker pull` understands it: without a host, or with one of Docker Hub's, the host is
 * `docker.io`, and there a repository of one component is in `library/`. No tag is added.
 *
 * @example parseDockerReference('alpine:3') // { host: 'docker.io', repository: 'library/alpine', tag: '3' }
 * @throws ParseError
 */
export function parseDockerReference(text: string): Reference & { host: string } {
  const parsed = parseRelativeReference(text);
  const { host } = parsed;
  if (host !== undefined && !dockerHosts.has(host)) return { ...parsed, host };
  const repository = parsed.repository.includes('/') ? parsed.repository : `library/${parsed.repository}`;
  if (!isRepository(repository)) {
    throw new ParseError(text, 'repository', `${quote(repository)} is longer than ${maxRepositoryLength} characters`);
  }
  return { ...parsed, host: 'docker.io', repository };
}

/** `host/repository:tag@digest` without what is missing; the inverse of {@link parseRelativeReference}. */
export function formatReference(reference: Reference): string {
  const { host, repository, tag, digest } = reference;
  return (
    (host === undefined ? '' : `${host}/`) +
    repository +
    (tag === undefined ? '' : `:${tag}`) +
    (digest === undefined ? '' : `@${digest}`)
  );
}

function digestIn(input: string, text: string): Digest {
  if (isDigest(text)) return text;
  try {
    return parseDigest(text);
  } catch (cause) {
    throw new ParseError(input, 'digest', cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}
