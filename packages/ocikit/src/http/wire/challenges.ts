// The `WWW-Authenticate` header: how a server asks for authentication.

/** One way to authenticate that a server offers. RFC 9110, section 11.3. */
export interface Challenge {
  /** The scheme in lower case, for example `basic` or `bearer`. */
  scheme: string;
  /** The parameters, by their names in lower case. */
  parameters: Readonly<Record<string, string>>;
  /** The value that some schemes have in place of parameters. */
  token68?: string;
}

/** The challenges of a header, as far as it could be read. */
export interface ParsedChallenges {
  /** The challenges, in their order. */
  challenges: Challenge[];
  /** The pieces of the header that could not be read, and parameters with two values. */
  unread: string[];
}

const token = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`;
const nextGap = /[\s,;]*/y;
const nextWord = /[^\s,;]+/y;
const nextToken68 = /[ \t]+([0-9A-Za-z\-._~+/]+=*)(?=[ \t]*(?:[,;]|$))/y;
const nextName = new RegExp(String.raw`(${token})[ \t]*=[ \t]*`, 'y');
const nextParameter = new RegExp(String.raw`\s+${token}[ \t]*=`, 'y');
const afterQuote = String.raw`(?=[\s,;]|$|${token}[ \t]*=)`;
const nextQuoted = new RegExp(String.raw`"((?:[^"\\]|\\.)*)"${afterQuote}|'([^']*)'${afterQuote}`, 'y');
const nextBare = /[^\s,;"'][^\s,;]*|(?=[\s,;]|$)/y;
const nextPiece = /[^,]*/y;
const isScheme = new RegExp(`^${token}:?$`);
const knownSchemes: ReadonlySet<string> = new Set(['basic', 'bearer', 'digest', 'negotiate', 'ntlm']);

/**
 * Parses a `WWW-Authenticate` header. It may hold several challenges, as several headers are joined into one.
 * RFC 9110, section 11.6.1.
 *
 * Registries and proxies write it loosely: values with spaces and no quotes, single quotes, `;` or nothing between
 * parameters. Each challenge is read as far as it can be. A parameter with two values has none: an ambiguous header
 * must not decide which server gets a secret.
 */
export function parseChallenges(header: string): ParsedChallenges {
  const challenges: { scheme: string; parameters: Map<string, string | undefined>; token68?: string }[] = [];
  const unread: string[] = [];
  const text: Text = { header, position: 0 };
  /** The parameter whose value has no quotes, so that the next words may belong to it. */
  let open: string | undefined;
  for (;;) {
    const gap = take(text, nextGap)?.[0] ?? '';
    const isSeparated = text.position === gap.length || /[,;]/.test(gap);
    const begin = text.position;
    const parameters = challenges.at(-1)?.parameters;
    const name = take(text, nextName)?.[1]?.toLowerCase();
    if (name !== undefined) {
      const quoted = take(text, nextQuoted);
      const bare = quoted === undefined ? take(text, nextBare)?.[0] : undefined;
      const value = quoted?.[1]?.replaceAll(/\\(.)/g, '$1') ?? quoted?.[2] ?? bare;
      if (value === undefined) take(text, nextPiece);
      const before = parameters?.get(name);
      const isSecond = parameters?.has(name) === true && before !== value;
      open = bare === undefined || isSecond ? undefined : name;
      parameters?.set(name, isSecond ? undefined : value);
      if (parameters === undefined || value === undefined || isSecond) unread.push(header.slice(begin, text.position));
      continue;
    }
    const word = take(text, nextWord)?.[0];
    if (word === undefined) return { challenges: challenges.map(challengeOf), unread };
    const scheme = word.toLowerCase().replace(/:$/, '');
    const hasParameter = peeks(text, nextParameter);
    const mayBegin = isSeparated
      ? open === undefined || hasParameter || knownSchemes.has(scheme)
      : hasParameter && knownSchemes.has(scheme);
    if (mayBegin && isScheme.test(word)) {
      const token68 = take(text, nextToken68)?.[1];
      challenges.push({ scheme, parameters: new Map(), ...(token68 === undefined ? {} : { token68 }) });
      open = undefined;
      continue;
    }
    const value = open === undefined ? undefined : parameters?.get(open);
    // A URL has no spaces.
    if (open === undefined || value === undefined || value.includes('://')) unread.push(word);
    else parameters?.set(open, `${value}${gap}${word}`);
  }
}

function challengeOf({
  parameters,
  ...rest
}: {
  scheme: string;
  parameters: Map<string, string | undefined>;
  token68?: string;
}): Challenge {
  const found = [...parameters].filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...rest, parameters: Object.fromEntries(found) };
}

/** A header, and the position up to which it was read. */
interface Text {
  readonly header: string;
  position: number;
}

function take(text: Text, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = text.position;
  const match = pattern.exec(text.header) ?? undefined;
  if (match !== undefined) text.position = pattern.lastIndex;
  return match;
}

function peeks({ header, position }: Text, pattern: RegExp): boolean {
  pattern.lastIndex = position;
  return pattern.test(header);
}

/** Formats challenges for {@link parseChallenges}. Every value is quoted, as some clients expect quotes. */
export function formatChallenges(challenges: readonly Challenge[]): string {
  return challenges
    .map(({ scheme, parameters, token68 }) => {
      const list = Object.entries(parameters).map(([name, value]) => `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`);
      return [scheme, token68 ?? list.join(',')].filter((part) => part !== '').join(' ');
    })
    .join(', ');
}
