// The manifests and blobs of one repository, as a graph: what is reachable, and in which order the rest may go.
export type { LinkedContent } from './manifest-links.ts';
export { removalOrderOf } from './removal-order.ts';
export { isNamed, RepositoryGraph } from './repository-graph.ts';
