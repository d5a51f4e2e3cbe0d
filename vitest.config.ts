// The tests of all packages. `npm run contract`, `npm run faults` and `npm run guides` run what takes long.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { defineConfig } from 'vitest/config';

import { alias, common } from './vitest.base.config.ts';

const include = [
  'packages/*/src/**/*.test.ts',
  'test/structure/**/*.test.ts',
  'test/guides/*.test.ts',
  'bench/**/*.test.ts',
];
const exclude = ['**/node_modules/**', '**/*.{contract,faults}.test.ts', 'test/guides/guides.test.ts'];

/** The files of tests that put something in the place of modules, or load them anew: each needs its own. */
function filesWithMocks(): string[] {
  const root = join(import.meta.dirname, 'packages');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^[a-z]+\/src\/.*\.test\.ts$/.test(name))
    .filter((name) => /vi\.(?:mock|resetModules)\(/.test(readFileSync(join(root, name), 'utf8')))
    .map((name) => `packages/${name}`);
}

const alone = filesWithMocks();

export default defineConfig({
  resolve: { alias },
  test: {
    ...common('default'),
    setupFiles: ['vitest.setup.ts'],
    // Much of what is tested waits, for servers that start and disks that write.
    maxWorkers: 2,
    projects: [
      // Loading all modules anew for each file would take half of the time.
      { extends: true, test: { name: 'together', isolate: false, include, exclude: [...exclude, ...alone] } },
      { extends: true, test: { name: 'alone', include: alone, exclude } },
    ],
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
