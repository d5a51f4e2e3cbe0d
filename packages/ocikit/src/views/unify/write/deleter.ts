// Deletes from all members that are written to.
import { assertRepository, assertTag, parseDigest } from '../../../model/index.ts';
import type { CallOptions, Deleter } from '../../../model/index.ts';

import {
  askAll,
  failuresIn,
  isUnknown,
  mostTelling,
  PartialWriteError,
  valuesIn,
  withCaller,
} from '../members/index.ts';
import type { MemberAnswer, Member, RepositoryQueue } from '../members/index.ts';

/** Deletes from all members that have the content. It is unknown only if no member has it. */
export function unifiedDeleter(writers: readonly Member[], queue: RepositoryQueue): Deleter {
  return {
    async deleteBlob(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      await removeAll(writers, `deleting blob ${digest}`, options, ({ registry }, call) =>
        registry.deleteBlob(repository, digest, call),
      );
    },
    async deleteManifest(repository, digest, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      parseDigest(digest);
      // In the queue, as its tags are deleted with it.
      await queue.run(repository, options.signal, () =>
        removeAll(writers, `deleting manifest ${digest}`, options, ({ registry }, call) =>
          registry.deleteManifest(repository, digest, call),
        ),
      );
    },
    async deleteTag(repository, tag, options = {}) {
      options.signal?.throwIfAborted();
      assertRepository(repository);
      assertTag(tag);
      const { ifTag } = options;
      const remove: Remove = ({ registry }, call) => registry.deleteTag(repository, tag, { ...call, ifTag });
      await queue.run(repository, options.signal, () =>
        ifTag === undefined
          ? removeAll(writers, `deleting tag ${tag}`, options, remove)
          : decideAndRemove(writers, `deleting tag ${tag}`, options, remove),
      );
    },
  };
}

type Remove = (member: Member, call: CallOptions) => Promise<void>;

async function removeAll(
  members: readonly Member[],
  what: string,
  options: CallOptions,
  remove: Remove,
): Promise<void> {
  await withCaller(options, async (caller, call) => {
    const answers = await askAll(members, (member) => remove(member, call));
    caller.assertWants();
    assertRemoved(what, answers);
  });
}

/** The first member that has the tag decides. Then the others delete it under the same condition. */
async function decideAndRemove(
  members: readonly Member[],
  what: string,
  options: CallOptions,
  remove: Remove,
): Promise<void> {
  await withCaller(options, async (caller, call) => {
    const answers: MemberAnswer<void>[] = [];
    for (const [i, member] of members.entries()) {
      const [answer] = await askAll([member], (one) => remove(one, call));
      caller.assertWants();
      if (answer === undefined) continue;
      if ('error' in answer && !isUnknown(answer.error)) throw answer.error;
      answers.push(answer);
      if ('error' in answer) continue;
      answers.push(...(await askAll(members.slice(i + 1), (one) => remove(one, call))));
      break;
    }
    caller.assertWants();
    assertRemoved(what, answers);
  });
}

function assertRemoved(what: string, answers: readonly MemberAnswer<void>[]): void {
  const done = valuesIn(answers).map(({ member }) => member);
  const failures = failuresIn(answers);
  if (done.length === 0) throw mostTelling(failures);
  const lasting = failures.filter(({ error }) => !isUnknown(error));
  if (lasting.length > 0) throw new PartialWriteError(what, done, lasting);
}
