import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** `OCIKIT_TEST_REPORT=file` writes vitest's JSON report there, beside the report for people. */
const report = process.env['OCIKIT_TEST_REPORT'];

// One file after another in one process: the clients share the machine's processors, and some its storage locks.
const config: ViteUserConfig = defineConfig({
  cacheDir: '../../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    globalSetup: ['./install.ts'],
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A machine that pauses is no defect; what fails twice is. What passed only then says so, and CI names it.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    reporters: report === undefined ? ['verbose'] : ['verbose', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
});

export default config;
