/** One action on one resource, as token servers name it: `repository:library/alpine:pull`. */
export interface ResourceScope {
  /** `repository`, `registry`, or whatever a registry says. */
  type: string;
  /** A repository's name; `catalog`. */
  resource: string;
  /** `pull`, `push`, `delete`, `*`. */
  action: string;
}

/** What a request needs. */
export type Scope = readonly ResourceScope[];
