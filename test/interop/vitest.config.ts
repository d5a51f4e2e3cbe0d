// The configuration of vitest for the interoperability tests.
import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** `OCIKIT_TEST_REPORT=file` writes vitest's JSON report to a file, beside the readable report. */
const report = process.env['OCIKIT_TEST_REPORT'];

// Run one file at a time: clients share the processors of the machine, and some share locks of its storage.
const config: ViteUserConfig = defineConfig({
  cacheDir: '../../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    globalSetup: ['./install.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Retry once: a pause of the machine is no defect. CI names the tests that passed only the second time.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    reporters: report === undefined ? ['verbose'] : ['verbose', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
});

export default config;
