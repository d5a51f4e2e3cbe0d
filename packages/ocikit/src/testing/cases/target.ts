// The registry under test, and the cases and groups that test it.
import type { Digest, Registry } from '../../model/index.ts';

/** A capability that a registry may lack. */
export type ContractCapability =
  /** Mounting a blob without naming the repository that has it. */
  | 'anonymousMount'
  /** Telling an unknown repository from unknown content in a repository. */
  | 'unknownNames'
  /** Changing tags on a condition: the option `ifTag`. */
  | 'ifTag'
  /** Reading the bytes of an upload before its commit. */
  | 'uploadRead'
  /** Maintenance: see `maintenanceOf`. */
  | 'maintenance';

/**
 * Properties in which registries may differ. A trait changes what a case expects, or leaves cases out with a reason.
 * Default of each: false.
 */
export interface ContractTraits {
  /** It accepts manifests that name content that the repository does not have. */
  sparse?: boolean | undefined;
  /** An existing tag cannot be moved or deleted, nor can the content that it reaches. */
  immutableTags?: boolean | undefined;
  /** It keeps the history of its tags: see `historyOf`. */
  keepsHistory?: boolean | undefined;
  /** It refuses everything that would change it. */
  readOnly?: boolean | undefined;
  /**
   * It is reached over HTTP. The answer to HEAD has a status but no code, so an unknown repository looks like an
   * unknown blob or manifest. An upload that is resumed at an `offset` is looked up with the next bytes. The registry
   * learns a moment later that a call was aborted.
   */
  remote?: boolean | undefined;
  /** The longest name that a repository can have, in characters. Default: 255. */
  longestName?: number | undefined;
  /** Capabilities that it does not have. Default: it has all of them. */
  lacks?: readonly ContractCapability[] | undefined;
}

/** A registry for one case. */
export interface ContractInstance {
  /** The registry that the case tests. */
  registry: Registry;
  /**
   * Another registry over the same content, for a read-only one: cases prepare content through it. Default:
   * `registry`.
   */
  origin?: Registry | undefined;
  /** Called when the case has ended, even if it failed. */
  close?: (() => Promise<void>) | undefined;
}

/** The kind of registry under test, and how to create one. */
export interface ContractTarget {
  /**
   * Gives the registry for a case. It may be the same one for all cases, and need not be empty: each case uses
   * repository names of its own.
   */
  create(): Promise<ContractInstance>;
  /** Properties in which it differs from most registries. Default: none. */
  traits?: ContractTraits | undefined;
  /**
   * Changes a stored blob behind the registry's back, for cases about repairs. Default: those cases do not apply.
   */
  damage?: ((registry: Registry, repository: string, digest: Digest) => Promise<void>) | undefined;
}

/** A promise of the `Registry` interface, as a program. */
export interface ContractCase {
  /** The rest of the sentence that the case proves; the group's name begins it. */
  readonly name: string;
  /** The name of the same test in the distribution specification's conformance suite. */
  readonly official?: string | undefined;
  /** The reason for which the case does not apply to this registry; undefined if it applies. */
  readonly leftOut: string | undefined;
  /** Runs the case. If the registry breaks the promise, rejects with what was expected and what came. */
  readonly run: () => Promise<void>;
}

/** Cases about one subject. */
export interface ContractGroup {
  /** The beginning of the sentence that each case proves. */
  readonly name: string;
  /** The cases, also those that do not apply. */
  readonly cases: readonly ContractCase[];
}
