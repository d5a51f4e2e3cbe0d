// The adapter for `node:http`.
export { nodeListener } from './listener.ts';
