export { nodeListener } from './listener.ts';
export type { NodeListener, NodeListenerOptions } from './listener.ts';
