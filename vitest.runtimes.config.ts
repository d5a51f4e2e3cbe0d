// The client in other runtimes.
import { defineConfig } from 'vitest/config';

import { common } from './vitest.base.config.ts';

export default defineConfig({ test: { ...common('verbose'), include: ['test/runtimes/*.test.ts'] } });
