// The credentials of a request, as `Authorization` has them.

/** The credentials of a request. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  /** They cannot be read, so they prove nothing. */
  | { readonly kind: 'malformed' };

const none = { kind: 'none' } as const;
const malformed = { kind: 'malformed' } as const;

/** Characters of `Authorization` that are read. */
const longest = 64 * 1024;

/**
 * Reads `Authorization`. An empty user with an empty password are no credentials: containers/image sends them for an
 * anonymous token. RFC 9110, section 11.6.2; RFC 7617
 */
export function credentialsIn(header: string | undefined): Credentials {
  if (header === undefined || header.trim() === '') return none;
  if (header.length > longest) return malformed;
  const [, scheme = '', value = ''] = /^\s*([\w-]+)[ \t]+(\S+)\s*$/.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer') return { kind: 'bearer', token: value };
  if (scheme.toLowerCase() !== 'basic') return malformed;
  const text = decoded(value);
  const colon = text?.indexOf(':') ?? -1;
  if (text === undefined || colon < 0) return malformed;
  const [user, password] = [text.slice(0, colon), text.slice(colon + 1)];
  return user === '' && password === '' ? none : { kind: 'basic', user, password };
}

function decoded(base64: string): string | undefined {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
