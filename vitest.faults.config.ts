// Killed servers, failing disks, other processes, crashes at every step, and many clients at once.
import { defineConfig } from 'vitest/config';

import { alias, common } from './vitest.base.config.ts';

export default defineConfig({
  resolve: { alias },
  test: {
    ...common('verbose'),
    include: ['test/faults/*.test.ts', 'packages/*/src/**/*.faults.test.ts'],
    // They wait for processes and disks most of the time.
    maxWorkers: 2,
  },
});
