// Pushing images and indexes.
export { push } from './push.ts';
export type { PushOptions } from './push.ts';
