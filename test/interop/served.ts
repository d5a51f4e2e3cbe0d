// A registry that this process serves.
import type { Registry } from 'ocikit';
import { serve } from 'ocikit/node';
import type { Serving, ServeOptions } from 'ocikit/node';
import { afterAll, beforeAll } from 'vitest';

/** Serves a registry in this process, for options that `ocikit serve` does not have. */
export function useServed(registry: () => Registry, options: ServeOptions = {}): { readonly host: string } {
  let serving: Serving | undefined;
  beforeAll(async () => {
    serving = await serve(registry(), { ...options, port: 0 });
  });
  afterAll(() => serving?.close(0));
  return {
    get host() {
      if (serving === undefined) throw new Error('the server runs only during the tests');
      return new URL(serving.url).host;
    },
  };
}
