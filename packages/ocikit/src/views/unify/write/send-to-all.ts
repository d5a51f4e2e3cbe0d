import { linkSignal } from '../../../model/index.ts';
import type { BlobSource, CallOptions } from '../../../model/index.ts';

import { shareSource } from './shared-source.ts';
import { askAll, Caller } from '../members/index.ts';
import type { MemberAnswer, Member } from '../members/index.ts';
import { Progress } from './progress.ts';

/** How one member is sent a source. */
export type Send<T> = (member: Member, source: BlobSource, call: CallOptions, i: number) => Promise<T>;

export interface Sent<T> {
  answers: MemberAnswer<T>[];
  /** Those that did not begin while the others waited, and so did not get it. */
  late: ReadonlySet<Member>;
}

/**
 * Sends a source to several members at once, and waits for all of them: one that fails does not stop the others. Events are
 * told as of one transfer.
 *
 * @throws what the caller has ended it with, and what the source has failed with
 */
export async function sendToAll<T>(
  members: readonly Member[],
  source: BlobSource,
  options: CallOptions,
  send: Send<T>,
): Promise<Sent<T>> {
  const caller = new Caller(options);
  const progress = new Progress(caller, members.length);
  const links = members.map(() => linkSignal(caller.signal));
  const late = new Set<Member>();
  const branches = shareSource(source, members.length, {
    signal: caller.signal,
    onLate(i) {
      const member = members[i];
      if (member !== undefined) late.add(member);
      links[i]?.abort(new DOMException('the others did not wait any longer', 'TimeoutError'));
    },
  });
  const leave = (i: number): void => {
    branches.leave(i);
    progress.leave(i);
    links[i]?.unlink();
  };
  try {
    const answers = await askAll(members, async (member, i) => {
      const call = { signal: links[i]?.signal, onEvent: progress.listener(i), context: options.context };
      try {
        return await send(member, branches.sources[i] ?? source, call, i);
      } finally {
        leave(i);
      }
    });
    caller.assertWants();
    if (branches.failure !== undefined) throw branches.failure.error;
    return { answers, late };
  } finally {
    caller.leave();
  }
}
