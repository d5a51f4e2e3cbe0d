// Requests to one registry: sent, authorized, redirected and tried again.
export { explain } from './explanation.ts';
export type { ExplainedRequest, ExplainedTokenRequest, Explanation } from './explanation.ts';
export type { Lane } from './lanes.ts';
export { pagesOf } from './pages.ts';
export type { Page } from './pages.ts';
export { isRead } from './request.ts';
export type { ClientCall, ClientRequest, RequestBody } from './request.ts';
export { createTransport } from './transport.ts';
export type { Transport } from './transport.ts';
