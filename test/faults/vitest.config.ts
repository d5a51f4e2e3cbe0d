// The configuration of vitest for the tests of faults: killed servers, failing disks, other processes.
import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

/** `OCIKIT_TEST_REPORT=file` writes vitest's JSON report to a file, beside the readable report. */
const report = process.env['OCIKIT_TEST_REPORT'];

const config: ViteUserConfig = defineConfig({
  cacheDir: '../../node_modules/.vite',
  test: {
    root: import.meta.dirname,
    include: ['*.test.ts'],
    // They wait for processes and disks most of the time.
    maxWorkers: 2,
    testTimeout: 30_000,
    // A machine that pauses is no defect; what fails three times is.
    retry: process.env['CI'] === 'true' ? 2 : 0,
    reporters: report === undefined ? ['verbose'] : ['verbose', 'json'],
    ...(report === undefined ? {} : { outputFile: { json: report } }),
  },
});

export default config;
