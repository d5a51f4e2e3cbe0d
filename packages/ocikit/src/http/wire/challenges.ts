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

const token = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+`;
const space = String.raw`[ \t]*`;
const quoted = String.raw`"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"`;
const nextCommas = /[ \t]*(?:,[ \t]*)*/y;
const nextScheme = new RegExp(token, 'y');
const nextToken68 = new RegExp(String.raw` +([0-9A-Za-z\-._~+/]+=*)(?=${space}(?:,|$))`, 'y');
const nextParameter = new RegExp(`(${token})${space}=${space}(${token}|${quoted})(?=${space}(?:,|$))`, 'y');

/**
 * Parses a `WWW-Authenticate` header. It may hold several challenges, as several headers are joined into one.
 * RFC 9110, section 11.6.1.
 *
 * @returns undefined if it is malformed or repeats a parameter: an ambiguous header must not decide which server gets a
 *   secret
 */
export function parseChallenges(header: string): Challenge[] | undefined {
  const challenges: Challenge[] = [];
  const text: Text = { header, position: 0 };
  take(text, nextCommas);
  while (text.position < header.length) {
    const scheme = take(text, nextScheme)?.[0].toLowerCase();
    if (scheme === undefined) return undefined;
    const token68 = take(text, nextToken68)?.[1];
    const before = take(text, nextCommas)?.[0] ?? '';
    // A space separates a scheme from its parameters. Commas may follow the space.
    const { parameters, after } =
      token68 === undefined && before.startsWith(' ')
        ? takeParameters(text, before)
        : { parameters: new Map<string, string>(), after: before };
    if (parameters === undefined) return undefined;
    if (text.position < header.length && !after.includes(',')) return undefined;
    challenges.push({
      scheme,
      parameters: Object.fromEntries(parameters),
      ...(token68 === undefined ? {} : { token68 }),
    });
  }
  return challenges;
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

/** @returns undefined parameters if one is repeated; `after` is the separator behind them */
function takeParameters(text: Text, before: string): { parameters: Map<string, string> | undefined; after: string } {
  const parameters = new Map<string, string>();
  let after = before;
  while (parameters.size === 0 || after.includes(',')) {
    const [, name, value = ''] = take(text, nextParameter) ?? [];
    if (name === undefined) break;
    const key = name.toLowerCase();
    if (parameters.has(key)) return { parameters: undefined, after };
    parameters.set(key, value.startsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/g, '$1') : value);
    after = take(text, nextCommas)?.[0] ?? '';
  }
  return { parameters, after };
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
