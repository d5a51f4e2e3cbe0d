// The adapter for `node:http`.
export { nodeListener } from './listener.ts';
export type { NodeListener } from './listener.ts';
