// Serving a registry on a port. It loads no code for clients, and is `ocikit/serve`.
export { serve } from './serve.ts';
export type { ServeLimits, ServeOptions, ServeTls, Serving } from './serve.ts';
