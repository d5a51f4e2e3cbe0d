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

export interface UnifyOptions {
  /**
   * How content is looked for: in one member after another, or in all at once, where the first answer counts and the others
   * are told to stop. `sequential` if it is left out.
   */
  read?: ReadOrder | undefined;
  /** What happens if members have different manifests of a tag; `error` if it is left out. */
  tagConflict?: TagConflict | undefined;
  /** Who is written to: all members, or one of them, which may be given by its place from 0. `all` if it is left out. */
  write?: 'all' | number | Registry | undefined;
}

/**
 * Several registries as one.
 *
 * - **Reads by digest** ask until one has it. A member that fails is passed over; if none has it, its error is thrown, as what
 *   it has is not known. A blob that is cut in the middle goes on from its byte with another member, and is verified.
 * - **Tags** are asked of all members. One that cannot be asked has no say, as long as another one has the tag.
 * - **Writes** go to all at the same time. If one fails, the others finish, and a {@link PartialWriteError} says who has it;
 *   nothing is undone, and the same call can be made again. The first member decides about `ifTag`.
 * - **Lists** are merged, and fail if a member's does.
 * - Two processes that move a tag at the same time through views of their own may leave it at different places, unless both
 *   say `ifTag`, and one of them fails.
 *
 * @param members two or more
 * @throws TypeError if there are fewer, or `write` is none of them
 * @example
 * const mirrors = unify([createMemoryRegistry(), createClient({ host: 'mirror.example.com' })]);
 * createServer(unify([openLayout('cache'), hub], { read: 'concurrent', tagConflict: 'first', write: 0 }));
 */
export function unify(members: readonly Registry[], options: UnifyOptions = {}): Registry {
  const { read = 'sequential', tagConflict = 'error', write = 'all' } = options;
  if (members.length < 2) throw new TypeError('two registries or more are needed for one of several');
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
    // Where its tags are depends on several registries, and on the policy.
    [history]: undefined,
    [verifiesPushes]: writers.every(({ registry }) => registry[verifiesPushes] === true) ? true : undefined,
  };
  return view;
}

function writersOf(members: readonly Member[], write: NonNullable<UnifyOptions['write']>): [Member, ...Member[]] {
  const chosen = members.filter(({ index, registry }) => write === 'all' || write === index || write === registry);
  const [first, ...others] = chosen;
  if (first === undefined) throw new TypeError('the registry that is to be written to is none of the members');
  // One that is given twice is written to once.
  return write === 'all' ? [first, ...others] : [first];
}
