// The bare server as a system.
import { fileURLToPath } from 'node:url';

import type { System } from './system.ts';

const server = fileURLToPath(new URL('bare-server.js', import.meta.url));

/** `node:http` without a registry. */
export const bareSystem: System = {
  name: 'bare node:http',
  kind: 'bare',
  medium: 'memory',
  syncs: false,
  command: ({ port }) => Promise.resolve({ file: process.execPath, args: [server, `${port}`] }),
};
