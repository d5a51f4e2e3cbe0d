// Patterns of repository names: `*` within a segment, `**` across segments, `${user}` for the caller's name.
import { isRepository } from '../../model/index.ts';

/** A part of a pattern between two slashes. */
export type Segment =
  /** Any number of segments, also none. */
  | { readonly kind: 'any' }
  /** This text. */
  | { readonly kind: 'text'; readonly text: string }
  /** Texts, with any characters between two of them. A part that is `userPart` stands for the caller's name. */
  | { readonly kind: 'glob'; readonly pieces: readonly (readonly string[])[] };

/** Stands in a segment for the name of the caller. It is no text: a name of a repository cannot contain it. */
export const userPart = '${user}';

/**
 * Parses a pattern.
 *
 * @returns a text with the reason, if it is none
 */
export function parsePattern(pattern: string): readonly Segment[] | string {
  if (pattern === '') return 'the pattern is empty: use ** for all repositories';
  if (pattern.length > 1024) return 'the pattern has more than 1024 characters';
  const segments: Segment[] = [];
  for (const text of pattern.split('/')) {
    const segment = parseSegment(text);
    if (typeof segment === 'string') return segment;
    segments.push(segment);
  }
  // `team/**` is all that is below `team`, and not `team` itself.
  if (segments.at(-1)?.kind === 'any') segments.push(anyOne);
  return segments;
}

const anyOne: Segment = { kind: 'glob', pieces: [[], []] };

function parseSegment(text: string): Segment | string {
  if (text === '') return 'a pattern has no empty part: no slash at its start or end, and no two in a row';
  if (text === '**') return { kind: 'any' };
  if (text.includes('**')) return '** stands alone between slashes: use * within a part';
  const variable = /\$\{(?!user\})[^}]*\}?/.exec(text)?.[0];
  if (variable !== undefined) return `${variable} is unknown: only ${userPart} is replaced`;
  if (/\.\./.test(text)) return 'two dots in a row match no repository name';
  if (/[A-Z]/.test(text)) return 'upper-case letters match no repository name: write it in lower case';
  if (text.includes(':')) return 'a pattern names a repository, without a host, port or tag';
  if (text.includes(userPart) && text.includes('*')) {
    return `${userPart} and * in one part reach the repositories of others: a user a would have those of a user a-b`;
  }
  // A wildcard may stand for these, so what is left must be the part of a name.
  const sample = text.replaceAll(userPart, 'a').replaceAll('*', 'a');
  if (sample.includes('/') || !isRepository(sample)) {
    return 'no repository name fits: use lower-case letters and digits, joined by . _ - or /, with *, ** and ${user}';
  }
  if (!/[*$]/.test(text)) return { kind: 'text', text };
  return { kind: 'glob', pieces: text.split('*').map((piece) => piece.split(/(\$\{user\})/).filter((p) => p !== '')) };
}

/**
 * The name of a user as it may stand in the name of a repository; undefined for all others, which match nothing. So
 * `a/b`, `*` and `..` are no way into the repositories of others, and `Alice` is not `alice`.
 */
export function userInNames(user: string | undefined): string | undefined {
  return user !== undefined && !user.includes('/') && isRepository(user) ? user : undefined;
}

/** True if a segment of a name fits the pieces. Takes time in proportion to the length, whatever the pattern. */
export function fits(pieces: readonly (readonly string[])[], text: string, user: string | undefined): boolean {
  const texts: string[] = [];
  for (const piece of pieces) {
    if (user === undefined && piece.includes(userPart)) return false;
    texts.push(piece.map((part) => (part === userPart ? (user ?? '') : part)).join(''));
  }
  const [first = '', ...rest] = texts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found === -1 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
