import type { Digest, Registry } from '../../model/index.ts';

/** What can be missing from a registry without its being wrong. */
export type ContractCapability =
  /** Mounting a blob without naming the repository that has it. */
  | 'anonymousMount'
  /** Telling that a repository is unknown, and not only what was looked for in it. */
  | 'unknownNames'
  /** Conditions on tags. */
  | 'ifTag'
  /** Reading what an upload holds. */
  | 'uploadRead'
  /** See `maintenanceOf`. */
  | 'maintenance';

/** In what a registry legitimately differs. A trait selects other expectations, or leaves cases out visibly. */
export interface ContractTraits {
  /** It accepts manifests that name content which the repository does not have. */
  sparse?: boolean | undefined;
  /** A tag that exists stays as it is, and so does what it reaches. */
  immutableTags?: boolean | undefined;
  /** It knows how its tags moved: see `historyOf`. */
  keepsHistory?: boolean | undefined;
  /** It refuses everything that would change it. */
  readOnly?: boolean | undefined;
  /**
   * It is reached over HTTP. There the answer to a HEAD has a status but no code, so that an unknown repository cannot
   * be told from an unknown blob or manifest; an upload that is resumed at an `offset` is looked for when it is gone on
   * with; and the registry sees only after a moment that a call has been broken off.
   */
  remote?: boolean | undefined;
  /** The longest name that a repository can have, in characters; 255 if it is left out. */
  longestName?: number | undefined;
  /** What it does not have at all. */
  lacks?: readonly ContractCapability[] | undefined;
}

/** A registry for one case. */
export interface ContractInstance {
  registry: Registry;
  /** Another way to the same content, to prepare what cases read: for a registry that is read-only. */
  origin?: Registry | undefined;
  close?: (() => Promise<void>) | undefined;
}

/** What is put to the test. */
export interface ContractSubject {
  /**
   * Called for each case. It need not be a new registry: cases use names that nobody else has, and expect neither an
   * empty registry nor one of their own.
   */
  create(): Promise<ContractInstance>;
  traits?: ContractTraits | undefined;
  /** Changes a stored blob behind the registry's back, so that cases can see how it copes. */
  damage?: ((registry: Registry, repository: string, digest: Digest) => Promise<void>) | undefined;
}

export interface ContractCase {
  /** The sentence that the case proves. */
  readonly name: string;
  /** The test of the distribution specification's conformance suite of which it is the counterpart. */
  readonly official?: string | undefined;
  /** Why the case does not apply to this subject, if so. It need not be run then, but it ought to be seen. */
  readonly leftOut: string | undefined;
  /** Rejects if the registry does not do what the sentence says. */
  readonly run: () => Promise<void>;
}

export interface ContractGroup {
  readonly name: string;
  readonly cases: readonly ContractCase[];
}
