// The configuration of vitest for the runtime tests.
import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** `OCIKIT_TEST_REPORT=file` writes vitest's JSON report to a file, beside the readable report. */
const report = process.env['OCIKIT_TEST_REPORT'];

const config: ViteUserConfig = defineConfig({
  cacheDir: '../../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['verbose'] : ['verbose', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
});

export default config;
