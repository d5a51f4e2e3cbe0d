// Shows several registries as one: the public view.
import { history, maintenance, verifiesPushes } from '../../model/index.ts';
import type { Registry } from '../../model/index.ts';

import { forward } from '../shared/index.ts';
import type { View } from '../shared/index.ts';

import type { ReadOrder, TagConflict } from './read/index.ts';
import { Supplier, unifiedDeleter, unifiedWriter, UnifiedUploadIds, uploadWriter } from './write/index.ts';
import { contentReader, tagFinder, tagReader, unifiedLister } from './read/index.ts';
import { unifiedMaintenance } from './maintenance.ts';
import type { Member } from './members/index.ts';
import { RepositoryQueue } from './members/index.ts';

/** How {@link unify} reads and writes. */
export interface UnifyOptions {
  /**
   * How members are asked for content: one after another, or all at once. All at once, the first answer counts and the
   * other requests are aborted. Default: `sequential`.
   */
  read?: ReadOrder | undefined;
  /** The tag that counts if members have different manifests of it. Default: `error`. */
  tagConflict?: TagConflict | undefined;
  /** The members that are written to: all, or one of them, which may be given by its place from 0. Default: `all`. */
  write?: 'all' | number | Registry | undefined;
}

/**
 * Several registries as one.
 *
 * - **Reads by digest** ask members until one has the content. A member that fails is skipped. If no member has the
 *   content, that member's error is thrown, as it may have the content. If a blob breaks off in the middle, the rest
 *   comes from another member, and the whole is verified.
 * - **Tags** are read from all members. A member that fails is ignored if another member has the tag.
 * - **Writes** go to all members at the same time. If one fails, the others finish, and a {@link PartialWriteError}
 *   names the members that have the content. Nothing is undone, and the same call can be repeated. The first member
 *   decides about `ifTag`.
 * - **Lists** are merged. The merged list fails if a member's list fails.
 * - Two processes that move a tag at the same time, each through its own view, may leave it at different manifests.
 *   With `ifTag` in both calls, one of the calls fails instead.
 *
 * @param members two or more
 * @throws TypeError if there are fewer than two members, or `write` is none of them
 * @example
 * const mirrors = unify([createMemoryRegistry(), createClient({ host: 'mirror.example.com' })]);
 * createServer(unify([openLayout('cache'), hub], { read: 'concurrent', tagConflict: 'first', write: 0 }));
 */
export function unify(members: readonly Registry[], options: UnifyOptions = {}): Registry {
  const { read = 'sequential', tagConflict = 'error', write = 'all' } = options;
  if (members.length < 2) throw new TypeError('unify needs at least two registries');
  const all = members.map((registry, index): Member => ({ index, registry }));
  const writers = writersOf(all, write);
  const [writer] = writers;

  const queue = new RepositoryQueue();
  const ids = new UnifiedUploadIds(writers.length);
  const supplier = new Supplier(all);
  const { getBlob, getManifest, resolveBlob, resolveManifest } = contentReader(all, read);
  const view: View = {
    getBlob,
    getManifest,
    resolveBlob,
    resolveManifest,
    ...tagReader(tagFinder(all, { policy: tagConflict, queue }), all, read),
    ...unifiedWriter({ writers, supplier, queue }),
    ...(writers.length > 1
      ? uploadWriter({ members: writers, ids, supplier })
      : forward(writer.registry, 'startUpload', 'resumeUpload', 'mountBlob')),
    ...unifiedDeleter(writers, queue),
    ...unifiedLister(all),
    [maintenance]: unifiedMaintenance(all, writers, ids),
    // The moves of a tag depend on several registries and on the policy, so there is no single history.
    [history]: undefined,
    [verifiesPushes]: writers.every(({ registry }) => registry[verifiesPushes] === true) ? true : undefined,
  };
  return view;
}

function writersOf(members: readonly Member[], write: NonNullable<UnifyOptions['write']>): [Member, ...Member[]] {
  const chosen = members.filter(({ index, registry }) => write === 'all' || write === index || write === registry);
  const [first, ...others] = chosen;
  if (first === undefined) throw new TypeError('the `write` option names no member: give a member or its place from 0');
  // If a registry is a member twice, only its first place is written to.
  return write === 'all' ? [first, ...others] : [first];
}
