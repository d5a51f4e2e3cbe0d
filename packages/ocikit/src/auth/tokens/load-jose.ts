// The library for JSON Web Tokens, loaded when the first token is made or verified.
import type * as Jose from 'jose';

/** Loads the library once. */
export function loadJose(): Promise<typeof Jose> {
  return import('jose');
}
