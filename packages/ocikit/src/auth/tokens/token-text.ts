// A token's text, before anything of it is verified.

/** Characters of a token at most: more does not fit into the head of a request anyway. */
export const longestToken: number = 10 * 1024;

/** The statements of a token about itself. They prove nothing. */
export interface ClaimedToken {
  /** The id of its key. */
  readonly kid: string | undefined;
  /** Its issuer. */
  readonly issuer: string | undefined;
}

/**
 * Reads what a token says of itself; undefined: it is no JSON Web Token, or too long for one.
 *
 * @example claimedBy(password)?.issuer === 'https://gitlab.example'
 */
export function claimedBy(token: string, longest: number = longestToken): ClaimedToken | undefined {
  if (token.length > longest) return undefined;
  const parts = token.split('.');
  const [header, payload] = [partOf(parts[0]), partOf(parts[1])];
  if (parts.length !== 3 || header === undefined || payload === undefined) return undefined;
  return { kid: textIn(header['kid']), issuer: textIn(payload['iss']) };
}

function partOf(part: string | undefined): Record<string, unknown> | undefined {
  if (part === undefined || !/^[\w-]+$/.test(part)) return undefined;
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function textIn(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
