export type { LinkedContent } from './manifest-links.ts';
export { removalOrderOf } from './removal-order.ts';
export { RepositoryGraph } from './repository-graph.ts';
