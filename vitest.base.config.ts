// The options that all configurations of vitest share.
import { fileURLToPath } from 'node:url';

import type { ViteUserConfig } from 'vitest/config';

/** `OCIKIT_TEST_REPORT=file` writes vitest's JSON report to a file, beside the readable report. */
const report = process.env['OCIKIT_TEST_REPORT'];

/** The imports of the packages' sources that depend on the platform. */
export const alias: Record<string, string> = {
  '#bcrypt': fileURLToPath(new URL('packages/ocikit/src/auth/bcrypt/native.ts', import.meta.url)),
  '#hash': fileURLToPath(new URL('packages/ocikit/src/model/hash/node.ts', import.meta.url)),
};

/** Vitest's options for all tests, with the readable report of this name. */
export function common(readable: 'default' | 'verbose'): NonNullable<ViteUserConfig['test']> {
  return {
    // Only what hangs needs a bound: no test may depend on the speed of the machine, or on what else it does.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    reporters: report === undefined ? [readable] : [readable, 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  };
}
