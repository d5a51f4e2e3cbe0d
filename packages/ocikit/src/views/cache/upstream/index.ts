// The registries behind a cache, and the choice between them.
export { placeKey } from './place.ts';
export type { Place } from './place.ts';
export { briefly, isOutage, isRefusal, isUnknown, notAsked, Upstream, wrongAnswer } from './upstream.ts';
export { soleUpstream, upstreams } from './upstreams.ts';
export type { ListedUpstream, UpstreamChoice, Upstreams, UpstreamsOptions } from './upstreams.ts';
