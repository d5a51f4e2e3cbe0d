// The configuration with which vitest runs the tests that guides show.
import { defineConfig } from 'vitest/config';
import type { ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    root: `${import.meta.dirname}/.run`,
    include: ['**/out/*.js'],
    testTimeout: 30_000,
  },
});

export default config;
