// Receiving the bodies of requests: limits on their number, their rate and their memory.
export { bodyTooLarge } from './collected-body.ts';
export { Receiving } from './receiving.ts';
export type { ReceivedBody } from './receiving.ts';
