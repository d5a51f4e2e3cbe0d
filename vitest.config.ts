// The tests of all packages. `npm run contract` and `npm run faults` run what takes long.
import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

const report = process.env['OCIKIT_TEST_REPORT'];

export default defineConfig({
  resolve: {
    alias: {
      '#bcrypt': fileURLToPath(new URL('packages/ocikit/src/auth/bcrypt/native.ts', import.meta.url)),
      '#hash': fileURLToPath(new URL('packages/ocikit/src/model/hash/node.ts', import.meta.url)),
    },
  },
  test: {
    include: [
      'packages/*/src/**/*.test.ts',
      'test/structure/**/*.test.ts',
      'test/guides/*.test.ts',
      'bench/**/*.test.ts',
    ],
    exclude: ['**/node_modules/**', '**/*.contract.test.ts'],
    // Much of what is tested waits, for servers that start and disks that write.
    maxWorkers: 2,
    testTimeout: 30_000,
    // A machine that pauses is no defect; what fails three times is.
    retry: process.env['CI'] === 'true' ? 2 : 0,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
    coverage: {
      // Only CI runs all these tests, so only CI measures coverage.
      enabled: process.env['CI'] === 'true',
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts'],
      thresholds: { lines: 90, branches: 85, functions: 90 },
    },
  },
});
