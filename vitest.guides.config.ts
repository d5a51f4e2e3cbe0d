// Every snippet of every guide, compiled and run.
import { defineConfig } from 'vitest/config';

import { common } from './vitest.base.config.ts';

export default defineConfig({
  test: {
    ...common('verbose'),
    include: ['test/guides/guides.test.ts'],
    // Some snippets run a whole suite of tests.
    testTimeout: 300_000,
    maxWorkers: 2,
  },
});
