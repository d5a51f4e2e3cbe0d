import type { CallContext } from '../../../model/index.ts';

import type { Upstream } from './upstream.ts';

/** Where a repository comes from, and where it is kept. */
export interface Place {
  /** Its name here. */
  readonly name: string;
  readonly upstream: Upstream;
  /** Its name there. */
  readonly repository: string;
  /** Its name in the store. */
  readonly keptAs: string;
  /** For calls of the upstream. */
  readonly context: CallContext | undefined;
}

/** What something is remembered by. Neither names nor references have spaces. */
export function keyOf({ keptAs }: Place, reference: string): string {
  return `${keptAs} ${reference}`;
}
