export { serve } from './serve.ts';
export type { ServeLimits, ServeOptions, ServeTls, Serving } from './serve.ts';
