// The route of a request that a middleware sees before the server has checked it.
import { parsePath } from '../../http/wire/index.ts';
import type { Route } from '../../http/wire/index.ts';

/** The route of a path; undefined if it is none, or has a malformed name, which the server will refuse. */
export function routeOf(path: string): Route | undefined {
  try {
    return parsePath(path);
  } catch {
    return undefined;
  }
}
