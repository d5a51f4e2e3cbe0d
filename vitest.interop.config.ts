// The clients and registries of other projects.
import { defineConfig } from 'vitest/config';

import { common } from './vitest.base.config.ts';

export default defineConfig({
  test: {
    ...common('verbose'),
    include: ['test/interop/*.test.ts'],
    globalSetup: ['test/interop/install.ts'],
    // One file at a time: clients share the processors of the machine, and some share locks of its storage.
    fileParallelism: false,
  },
});
