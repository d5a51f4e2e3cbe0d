// The errors of a unified registry, and the choice of one error from those of several members.
import { isRegistryError, isTemporary, RedirectError, RegistryError, toWireError } from '../../../model/index.ts';
import type { Digest, ErrorCode } from '../../../model/index.ts';

import type { MemberFailure, Member } from './member.ts';

/**
 * A change that some members have made and others have not. Nothing is undone. The same call can be repeated: members
 * that have made the change accept it again. The code is that of the failure that a repetition is least likely to
 * solve.
 *
 * @example
 * try {
 *   await registry.pushBlob('app', descriptor, bytes);
 * } catch (error) {
 *   if (error instanceof PartialWriteError) console.warn(`only the members ${error.done.join(', ')} have it`);
 *   throw error;
 * }
 */
export class PartialWriteError extends RegistryError {
  override readonly name: string = 'PartialWriteError';
  /** The members that have made the change, by their places from 0. */
  readonly done: readonly number[];
  /** The members that have not made the change, and their errors. */
  readonly failed: readonly { readonly member: number; readonly error: unknown }[];

  constructor(what: string, done: readonly Member[], failures: readonly MemberFailure[]) {
    const worst = leastTemporary(failures);
    const failed = failures.map(({ member, error }) => ({ member: member.index, error }));
    const reasons = failed.map(({ member, error }) => `member ${member} has not (${publicText(error)})`);
    super(codeOf(worst), `${what}: ${namesOf(done)} done it, ${reasons.join(', ')}`, {
      detail: {
        done: done.map(({ index }) => index),
        failed: failed.map(({ member, error }) => ({ member, code: codeOf(error) })),
      },
      cause: worst,
      retryAfter: longestWait(failures),
      challenge: isRegistryError(worst) ? worst.challenge : undefined,
    });
    this.done = done.map(({ index }) => index);
    this.failed = failed;
  }
}

/** Members have different manifests of a tag, and the option `tagConflict` does not lead to one of them. */
export class TagConflictError extends RegistryError {
  override readonly name: string = 'TagConflictError';
  /** The manifests of the tag, by the members' places from 0. */
  readonly found: readonly { readonly member: number; readonly digest: Digest }[];

  constructor(repository: string, tag: string, found: readonly { member: number; digest: Digest }[]) {
    const places = found.map(({ member, digest }) => `at ${digest} in member ${member}`);
    super('CONFLICT', `tag ${tag} of ${repository} is ${places.join(', ')}`, { detail: { tag, found } });
    this.found = found;
  }
}

const unknownCodes = ['BLOB_UNKNOWN', 'MANIFEST_UNKNOWN', 'NAME_UNKNOWN'] as const;

/** Whether the member does not have the content: that is an answer, no failure. */
export function isUnknown(error: unknown): error is RegistryError {
  return isRegistryError(error, ...unknownCodes);
}

/**
 * The error of a read that no member has answered. If one member failed, the content may be there, so that failure
 * counts more than "unknown". A redirect counts most: the content has been found.
 */
export function mostTelling(failures: readonly MemberFailure[]): unknown {
  return failures.toSorted((a, b) => rankOf(a.error) - rankOf(b.error))[0]?.error;
}

function rankOf(error: unknown): number {
  if (error instanceof RedirectError) return 0;
  if (!isRegistryError(error)) return 1;
  if (error.code === 'UNSUPPORTED') return 2;
  // The repository exists if one member knows it, so this counts least.
  if (error.code === 'NAME_UNKNOWN') return 4;
  return isUnknown(error) ? 3 : 1;
}

/** The error of a change that no member has made: the caller's mistake rather than a member's temporary failure. */
export function leastTemporary(failures: readonly MemberFailure[]): unknown {
  const lasting = failures.find(({ error }) => !isTemporary(error));
  return (lasting ?? failures[0])?.error;
}

function statusOf(error: unknown): number {
  return toWireError(error).status;
}

function codeOf(error: unknown): ErrorCode {
  if (isRegistryError(error)) return error.code;
  return statusOf(error) === 503 ? 'UNAVAILABLE' : 'UNKNOWN';
}

/** The text of an error for callers. Only registry errors are meant for them: others may contain internals. */
function publicText(error: unknown): string {
  return isRegistryError(error) ? `${error.code}: ${error.message}` : codeOf(error);
}

function longestWait(failures: readonly MemberFailure[]): number | undefined {
  const waits = failures.flatMap(({ error }) => (isRegistryError(error) ? (error.retryAfter ?? []) : []));
  return waits.length === 0 ? undefined : Math.max(...waits);
}

function namesOf(members: readonly Member[]): string {
  const names = members.map(({ index }) => index).join(', ');
  return members.length === 1 ? `member ${names} has` : `members ${names} have`;
}
