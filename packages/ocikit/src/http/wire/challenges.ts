/** How a server wants to be shown who asks. RFC 9110, section 11.3. */
export interface Challenge {
  /** In lower case: `basic`, `bearer`. */
  scheme: string;
  /** By their names in lower case. */
  parameters: Readonly<Record<string, string>>;
  /** What some schemes have in place of parameters. */
  token68?: string;
}

const token = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`;
const space = String.raw`[ \t]*`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`;
const nextCommas = /[ \t]*(?:,[ \t]*)*/y;
const nextScheme = new RegExp(token, 'y');
const nextToken68 = new RegExp(String.raw` +([0-9A-Za-z\-._~+/]+=*)(?=${space}(?:,|$))`, 'y');
const nextParameter = new RegExp(`(${token})${space}=${space}(${token}|${quoted})(?=${space}(?:,|$))`, 'y');

/**
 * Parses one `WWW-Authenticate` header, which may hold several challenges, as headers of the same name do that were
 * joined. RFC 9110, section 11.6.1.
 *
 * @returns undefined if it is malformed or names a parameter twice: what is ambiguous must not decide who is sent a secret
 */
export function parseChallenges(header: string): Challenge[] | undefined {
  const challenges: Challenge[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(header) ?? undefined;
    if (match !== undefined) position = pattern.lastIndex;
    return match;
  };
  take(nextCommas);
  while (position < header.length) {
    const scheme = take(nextScheme)?.[0].toLowerCase();
    if (scheme === undefined) return undefined;
    const token68 = take(nextToken68)?.[1];
    const parameters = new Map<string, string>();
    const begin = position;
    let commas = take(nextCommas)?.[0] ?? '';
    // A first parameter stands behind spaces and maybe commas: `Bearer realm="x"`, but also `Bearer , realm="x"`.
    while (token68 === undefined && (parameters.size > 0 ? commas.includes(',') : commas.startsWith(' '))) {
      const [, name = '', value = ''] = take(nextParameter) ?? [];
      if (name === '') break;
      if (parameters.has(name.toLowerCase())) return undefined;
      parameters.set(name.toLowerCase(), value.startsWith('"') ? unquoted(value) : value);
      commas = take(nextCommas)?.[0] ?? '';
    }
    const rest = position < header.length;
    if (rest && !commas.includes(',')) return undefined;
    if (rest && begin === position) return undefined;
    challenges.push({
      scheme,
      parameters: Object.fromEntries(parameters),
      ...(token68 === undefined ? {} : { token68 }),
    });
  }
  return challenges;
}

function unquoted(value: string): string {
  return value.slice(1, -1).replaceAll(/\\(.)/g, '$1');
}

/** The inverse of {@link parseChallenges}; every value is quoted, as some clients expect it. */
export function formatChallenges(challenges: readonly Challenge[]): string {
  return challenges
    .map(({ scheme, parameters, token68 }) => {
      const list = Object.entries(parameters).map(([name, value]) => `${name}="${value.replaceAll(/["\\]/g, '\\$&')}"`);
      return [scheme, token68 ?? list.join(',')].filter((part) => part !== '').join(' ');
    })
    .join(', ');
}

/** True if a challenge says that who asks is known, and that what was sent does not allow this. RFC 6750, section 3.1. */
export function isInsufficientScope(headers: readonly string[]): boolean {
  return headers.some((header) =>
    parseChallenges(header)?.some(
      ({ scheme, parameters }) => scheme === 'bearer' && parameters['error'] === 'insufficient_scope',
    ),
  );
}
