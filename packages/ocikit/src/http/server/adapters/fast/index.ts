// The fast path: requests that are answered straight on their connection. It takes a request only if the request has
// one possible meaning. The request is complete with at most 64 KiB of body, or has a chunked body of any size. Over
// TLS, it may have a body of any length. Every other request goes to `node:http`.
export { FastConnections } from './connections.ts';
