// The contract of `Registry` on each view, and on stores over HTTP.
import { defineConfig } from 'vitest/config';

import base from './vitest.config.ts';

export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['packages/*/src/**/*.contract.test.ts'],
    exclude: ['**/node_modules/**'],
    coverage: { enabled: false },
  },
});
