// Reads a list of a test server page by page.
import { expect } from 'vitest';

import type { TestServer } from './start-server.ts';

/** Returns the body of each page of a list, following the links from one to the next. */
export async function allPages(server: TestServer, path: string): Promise<unknown[]> {
  const all: unknown[] = [];
  for (let next: string | undefined = path; next !== undefined && all.length < 100;) {
    const response: Response = await server.fetch(next);
    expect(response.status).toBe(200);
    all.push(await response.json());
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
  }
  return all;
}
