export { push } from './push.ts';
export type { PushOptions } from './push.ts';
