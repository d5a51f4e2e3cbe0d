// Sends one source to several members at the same time.
import { linkSignal } from '../../../model/index.ts';
import type { BlobSource, CallOptions } from '../../../model/index.ts';

import { shareSource } from './shared-source.ts';
import { askAll, Caller } from '../members/index.ts';
import type { MemberAnswer, Member } from '../members/index.ts';
import { Progress } from './progress.ts';

/** Sends the source to one member. */
export type Send<T> = (member: Member, source: BlobSource, call: CallOptions, i: number) => Promise<T>;

/** The outcome of sending. */
export interface Sent<T> {
  /** The members' answers, in their order. */
  answers: MemberAnswer<T>[];
  /** The members that did not begin to read in time, and so did not get the source. */
  late: ReadonlySet<Member>;
}

/**
 * Sends a source to several members at once, and waits for all of them. A member that fails does not stop the others.
 * The caller hears of one transfer.
 *
 * @throws the error with which the caller has ended the call; the source's error
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
      links[i]?.abort(new DOMException('the member was left out: it did not begin in time', 'TimeoutError'));
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
