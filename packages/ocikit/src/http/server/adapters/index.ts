// The adapters: each turns the requests of one runtime into exchanges, and sends the replies.
export { FastConnections } from './fast/index.ts';
export { fetchHandler } from './fetch.ts';
export { nodeListener } from './node/index.ts';
