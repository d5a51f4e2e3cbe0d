// References to images and artifacts: `host/repository:tag@digest`, and the grammar of their parts.
import { isDigest, parseDigest } from './digest.ts';
import type { Digest } from './digest.ts';
import { RegistryError } from './errors.ts';
import type { ErrorCode } from './errors.ts';

/**
 * The address of an image or artifact: `host/repository:tag@digest`. All parts but the repository are optional.
 *
 * @example
 * const reference: Reference = parseReference('ghcr.io/team/app:v1');
 * // { host: 'ghcr.io', repository: 'team/app', tag: 'v1' }
 */
export interface Reference {
  /** The registry's host name or address, with its port if it has one. */
  host?: string;
  /** The name of the repository. */
  repository: string;
  /** The tag. */
  tag?: string;
  /** The digest of the manifest. */
  digest?: Digest;
}

/**
 * The grammar of a repository's name, `<name>` in the distribution specification, "Pulling manifests". It does not
 * limit the length; {@link isRepository} does.
 */
export const repositoryPattern: RegExp =
  /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

/** The grammar of a tag, which has at most 128 characters. Distribution specification, "Pulling manifests". */
export const tagPattern: RegExp = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';

/** At least two labels, `localhost` or a bracketed IPv6 address, with or without a port; or one label with a port. */
const hostPattern = new RegExp(
  String.raw`^(?:(?:${label}(?:\.${label})+|localhost|\[[a-fA-F0-9:]+\])(?::[0-9]+)?|${label}:[0-9]+)$`,
);

const maxRepositoryLength = 255;

/**
 * True if the text is the name of a repository, of at most 255 characters.
 *
 * @example isRepository('library/alpine') // true
 */
export function isRepository(name: string): boolean {
  return name.length <= maxRepositoryLength && repositoryPattern.test(name);
}

/**
 * True if the text is a tag.
 *
 * @example isTag('v1.2') // true
 */
export function isTag(tag: string): boolean {
  return tagPattern.test(tag);
}

/**
 * True if the first part of a reference is a registry's host, and not a part of the repository's name.
 *
 * @example isHost('localhost:5000') // true
 */
export function isHost(host: string): boolean {
  return hostPattern.test(host);
}

/**
 * Checks that a text is the name of a repository.
 *
 * @example assertRepository('Team/App'); // throws: upper-case letters are not allowed
 * @throws RegistryError NAME_INVALID
 */
export function assertRepository(name: string): void {
  if (!isRepository(name)) throw new RegistryError('NAME_INVALID', notRepository(name), { detail: { name } });
}

/**
 * Checks that a text is a tag.
 *
 * @example assertTag('v1.2');
 * @throws RegistryError MANIFEST_INVALID (the specification has no code of its own for a tag)
 */
export function assertTag(tag: string): void {
  if (!isTag(tag)) throw new RegistryError('MANIFEST_INVALID', notTag(tag), { detail: { tag } });
}

function notRepository(name: string): string {
  const rule = `use at most ${maxRepositoryLength} lower-case letters and digits, joined by . _ - or /`;
  return `${quote(name)} is not a repository name: ${rule}`;
}

function notTag(tag: string): string {
  return `${quote(tag)} is not a tag: use at most 128 letters, digits, _ . and -`;
}

/** A part of a reference. */
export type ReferencePart = 'host' | 'repository' | 'tag' | 'digest';

const codeOfPart: Readonly<Record<ReferencePart, ErrorCode>> = {
  host: 'NAME_INVALID',
  repository: 'NAME_INVALID',
  tag: 'MANIFEST_INVALID',
  digest: 'DIGEST_INVALID',
};

/**
 * A text is not a reference. `part` says which part of it is wrong; `cause`, if present, gives the reason.
 *
 * @example if (error instanceof ParseError) console.error(`the ${error.part} is wrong: ${error.message}`);
 */
export class ParseError extends RegistryError {
  override readonly name: string = 'ParseError';
  /** The whole text. */
  readonly input: string;
  /** The part that is wrong. */
  readonly part: ReferencePart;

  constructor(input: string, part: ReferencePart, reason: string, options?: ErrorOptions) {
    super(codeOfPart[part], `${quote(input)} is not a reference: ${reason}`, options);
    this.input = input;
    this.part = part;
  }
}

/**
 * Parses `host[:port]/repository[:tag][@digest]`. Adds no defaults.
 *
 * @example parseReference('ghcr.io/team/app:v1') // { host: 'ghcr.io', repository: 'team/app', tag: 'v1' }
 * @throws ParseError if the text is not a reference, or has no host
 */
export function parseReference(text: string): Reference & { host: string } {
  const reference = parseRelativeReference(text);
  const { host } = reference;
  if (host === undefined)
    throw new ParseError(text, 'host', 'it must start with a host, such as localhost:5000 or registry.example.com');
  return { ...reference, host };
}

/**
 * Parses `[host[:port]/]repository[:tag][@digest]`. Adds no defaults.
 *
 * @example parseRelativeReference('team/app:v1') // { repository: 'team/app', tag: 'v1' }
 * @throws ParseError if the text is not a reference
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
  if (tag !== undefined && !isTag(tag)) throw new ParseError(text, 'tag', notTag(tag));
  if (!isRepository(repository)) {
    throw new ParseError(text, 'repository', notRepository(repository));
  }
  return {
    ...(host === undefined ? {} : { host }),
    repository,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

const dockerHosts = new Set(['docker.io', 'index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com']);

/** A reference with docker's defaults: it has a host, and a tag or a digest. */
export type DockerReference = Reference & Required<Pick<Reference, 'host'>> & NamedManifest;

/** A tag, a digest or both: without either, no manifest is named. */
export type NamedManifest = Required<Pick<Reference, 'tag'>> | Required<Pick<Reference, 'digest'>>;

/**
 * Parses a reference as `docker pull` does. Without a host, or with one of Docker Hub's hosts, the host becomes
 * `docker.io`. On that host, a repository of one component gets the prefix `library/`. Without a tag and a digest, the
 * tag becomes `latest`.
 *
 * @example
 * parseDockerReference('alpine'); // { host: 'docker.io', repository: 'library/alpine', tag: 'latest' }
 * parseDockerReference('alpine:3'); // { host: 'docker.io', repository: 'library/alpine', tag: '3' }
 * @throws ParseError if the text is not a reference
 */
export function parseDockerReference(text: string): DockerReference {
  const { tag, digest, ...found } = parseRelativeReference(text);
  const parsed = digest === undefined ? { ...found, tag: tag ?? 'latest' } : { ...found, ...(tag && { tag }), digest };
  const { host } = parsed;
  if (host !== undefined && !dockerHosts.has(host)) return { ...parsed, host };
  const repository = parsed.repository.includes('/') ? parsed.repository : `library/${parsed.repository}`;
  if (!isRepository(repository)) {
    throw new ParseError(text, 'repository', `${quote(repository)} is longer than ${maxRepositoryLength} characters`);
  }
  return { ...parsed, host: 'docker.io', repository };
}

/**
 * A reference as text. The inverse of {@link parseRelativeReference}.
 *
 * @example formatReference({ repository: 'team/app', tag: 'v1' }) // 'team/app:v1'
 */
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
