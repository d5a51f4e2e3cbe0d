// Pushing images and indexes.
export { push } from './push.ts';
export type { PushOptions } from './push.ts';
export { pushStream } from './push-stream.ts';
export type { PushStreamOptions } from './push-stream.ts';
export type { PlatformSelection } from './select-platforms.ts';
