// The contract of `Registry` on each view, and on stores over HTTP.
import { defineConfig } from 'vitest/config';

import { alias, common } from './vitest.base.config.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    ...common('default'),
    include: ['packages/*/src/**/*.contract.test.ts'],
    isolate: false,
    setupFiles: ['vitest.setup.ts'],
    maxWorkers: 2,
  },
});
