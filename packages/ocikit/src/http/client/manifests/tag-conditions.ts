// The condition `ifTag` on registries that do not judge it themselves, which are most.
import {
  assertCondition,
  conditionOn,
  digestOf,
  isRegistryError,
  RegistryError,
  splitDigest,
} from '../../../model/index.ts';
import type { CallOptions, Digest, Reader, TagCondition } from '../../../model/index.ts';
import { formatEntityTag, repositoryScope } from '../../wire/index.ts';
import { manifestAddress } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

import type { PushedBytes } from './put-manifest.ts';

type TagReader = Pick<Reader, 'getTag' | 'resolveTag'>;

/** Stores a manifest by its digest alone, if it has the given digest: see {@link judgesPush}. */
export type PutIf = (ifMatch: Digest) => Promise<unknown>;

/** Tags in one repository, and the condition on them. */
export interface ConditionalTags {
  /** The repository. */
  repository: string;
  /** The tags. */
  tags: readonly string[];
  /** The condition. */
  ifTag: TagCondition;
}

/** No content has this digest, so a condition with it is always false. */
const noDigest: Digest = `sha256:${'0'.repeat(64)}`;

/**
 * Looks whether the condition holds now.
 *
 * @throws RegistryError PRECONDITION_FAILED
 */
export async function assertTags(
  reader: TagReader,
  { repository, tags, ifTag }: ConditionalTags,
  call: CallOptions,
): Promise<void> {
  for (const tag of tags) {
    const expected = conditionOn(tag, ifTag);
    if (expected === undefined) continue;
    assertCondition(tag, expected, await digestAt(reader, repository, tag, expected, call));
  }
}

/** The digest that a tag points to, by the algorithm of another digest; undefined if there is no such tag. */
async function digestAt(
  reader: TagReader,
  repository: string,
  tag: string,
  like: Digest | null,
  call: CallOptions,
): Promise<Digest | undefined> {
  try {
    const { digest } = await reader.resolveTag(repository, tag, call);
    const { algorithm } = splitDigest(like ?? digest);
    if (splitDigest(digest).algorithm === algorithm) return digest;
    return digestOf((await reader.getTag(repository, tag, call)).bytes, algorithm);
  } catch (error) {
    if (isRegistryError(error) && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * Looks again after a push: another client may have moved a tag between the look and the push, or may have moved it
 * since. A registry that judges conditions has excluded the first.
 *
 * @throws RegistryError PRECONDITION_FAILED
 */
export async function assertPushed(
  reader: TagReader,
  { repository, digest }: PushedBytes,
  tags: readonly string[],
  call: CallOptions,
  putIf: PutIf,
): Promise<void> {
  try {
    await assertTags(reader, { repository, tags, ifTag: digest }, call);
  } catch (error) {
    if (!isRegistryError(error, 'PRECONDITION_FAILED') || !(await judgesPush(putIf))) throw error;
  }
}

/**
 * Checks that the registry judges conditions on pushes itself.
 *
 * @throws RegistryError UNSUPPORTED
 */
export async function assertAtomicPush(transport: Transport, putIf: PutIf): Promise<void> {
  if (!(await judgesPush(putIf))) throw notAtomic(transport);
}

/**
 * Whether the registry judges conditions on pushes: one that is always false must be refused. The manifest is named by
 * its digest, so no tag moves if the registry ignores the condition.
 */
function judgesPush(putIf: PutIf): Promise<boolean> {
  return isRefused(putIf(noDigest));
}

/**
 * Checks that the registry judges conditions on deletions itself: one of content that does not exist fails by its
 * condition.
 *
 * @throws RegistryError UNSUPPORTED
 */
export async function assertAtomicDelete(transport: Transport, repository: string, call: CallOptions): Promise<void> {
  const request = transport.send({
    method: 'DELETE',
    url: manifestAddress(transport.base, repository, noDigest),
    scope: repositoryScope(repository, 'delete'),
    headers: { 'if-match': formatEntityTag(noDigest) },
    expect: [200, 202, 204, 400, 404, 405],
    call,
  });
  if (!(await isRefused(request.then((response) => response.discard())))) throw notAtomic(transport);
}

/** The error for a registry that cannot judge a condition and change a tag in one step. */
export function notAtomic({ base }: Transport): RegistryError {
  return new RegistryError(
    'UNSUPPORTED',
    `${base.host} cannot check \`ifTag\` and change the tag in one step: leave out the option \`tagConditions\``,
  );
}

async function isRefused(request: Promise<unknown>): Promise<boolean> {
  try {
    await request;
    return false;
  } catch (error) {
    if (isRegistryError(error, 'PRECONDITION_FAILED')) return true;
    throw error;
  }
}
