// The fast path: small requests, answered straight on their connection. It takes a request only if the request has one
// possible meaning, at most 64 KiB of body, and is complete. Every other request goes to `node:http`.
export { FastConnections } from './connections.ts';
