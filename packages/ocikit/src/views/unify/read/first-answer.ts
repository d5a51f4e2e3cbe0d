// Reads from the first member that has the content: asks one after another, or all at once.
import { linkSignal, onAbort } from '../../../model/index.ts';
import type { CallOptions, LinkedSignal, OnTransferEvent, TransferEvent } from '../../../model/index.ts';

import type { Caller, MemberFailure, Member } from '../members/index.ts';
import { isUnknown, mostTelling } from '../members/index.ts';

/** The order in which members are asked for content: one after another, or all at the same time. */
export type ReadOrder = 'sequential' | 'concurrent';

/** A read from one member. */
export interface MemberRead<T> {
  /** Makes the read. */
  call: (member: Member, options: CallOptions) => Promise<T>;
  /** Releases an answer that came too late. */
  discard?: ((value: T) => Promise<void>) | undefined;
}

/** The answer of the first member that has the content. */
export interface FirstAnswer<T> {
  /** The member that answered. */
  member: Member;
  /** Its answer. */
  value: T;
  /** The members that may have the content too: those that have not answered that they lack it. */
  others: readonly Member[];
  /** To be called when the answer has been read: the caller's signal is not watched any more. */
  end: () => void;
}

/** Asks one member after another, until one has the content. */
export async function readInTurn<T>(
  members: readonly Member[],
  { call }: MemberRead<T>,
  options: CallOptions,
  caller: Caller,
): Promise<FirstAnswer<T>> {
  const failures: MemberFailure[] = [];
  for (const member of members) {
    try {
      const value = await call(member, { ...options, signal: caller.signal, onEvent: caller.onEvent });
      return { member, value, others: othersOf(members, member, failures), end: () => caller.leave() };
    } catch (error) {
      caller.assertWants();
      failures.push({ member, error });
    }
  }
  throw mostTelling(failures);
}

/** Asks all at once. The first answer wins; the other reads are aborted, and their answers are released. */
export async function readAtOnce<T>(
  members: readonly Member[],
  ask: MemberRead<T>,
  options: CallOptions,
  caller: Caller,
): Promise<FirstAnswer<T>> {
  const running = members.map((member) => new RunningRead(member, ask, options, caller));
  let winner: RunningRead<T> | undefined;
  try {
    const { failures, ...first } = await firstOf(running, caller.signal);
    winner = first.read;
    for (const read of running) if (read !== winner) read.lose();
    await winner.win();
    const { member } = winner;
    const end = (): void => {
      first.read.unlink();
      caller.leave();
    };
    return { member, value: first.value, others: othersOf(members, member, failures), end };
  } catch (error) {
    for (const read of running) if (read !== winner) read.lose();
    caller.assertWants();
    throw error;
  }
}

/**
 * The first answer. Answers that come after it, or after the abort, are released.
 *
 * @throws the most telling error if all fail; the signal's reason
 */
function firstOf<T>(
  running: readonly RunningRead<T>[],
  signal: AbortSignal,
): Promise<{ read: RunningRead<T>; value: T; failures: readonly MemberFailure[] }> {
  return new Promise((resolve, reject) => {
    const failures: MemberFailure[] = [];
    let decided = false;
    const decide = (): void => {
      decided = true;
      forget();
    };
    const forget = onAbort(signal, () => {
      decide();
      reject(signal.reason as Error);
    });
    for (const read of running) {
      read.answer.then(
        (value) => {
          if (decided) return read.discard();
          decide();
          return resolve({ read, value, failures });
        },
        (error: unknown) => {
          failures.push({ member: read.member, error });
          if (decided || failures.length < running.length) return;
          decide();
          reject(mostTelling(failures.toSorted((a, b) => a.member.index - b.member.index)));
        },
      );
    }
  });
}

function othersOf(members: readonly Member[], winner: Member, failures: readonly MemberFailure[]): Member[] {
  return members.filter(
    (member) => member !== winner && !failures.some((failure) => failure.member === member && isUnknown(failure.error)),
  );
}

/** The read of a member that is asked beside others. The caller hears of its events only if it wins. */
class RunningRead<T> {
  readonly member: Member;
  readonly answer: Promise<T>;
  readonly #ask: MemberRead<T>;
  readonly #link: LinkedSignal;
  readonly #tell: OnTransferEvent | undefined;
  #held: TransferEvent[] | undefined = [];
  #hasLost = false;

  constructor(member: Member, ask: MemberRead<T>, options: CallOptions, caller: Caller) {
    this.member = member;
    this.#ask = ask;
    const link = linkSignal(caller.signal);
    this.#link = link;
    this.#tell = caller.onEvent;
    const onEvent = this.#tell === undefined ? undefined : (event: TransferEvent): void => this.#onEvent(event);
    // In an async function, so that an error that is thrown at once is its answer as well.
    this.answer = (async () => ask.call(member, { ...options, signal: link.signal, onEvent }))();
  }

  #onEvent(event: TransferEvent): void {
    if (this.#held !== undefined) this.#held.push(event);
    else if (!this.#hasLost) this.#tell?.(event);
  }

  /** Tells the caller of the events held back so far. If the listener throws, the answer is released. */
  async win(): Promise<void> {
    const held = this.#held ?? [];
    this.#held = undefined;
    try {
      for (const event of held) this.#tell?.(event);
    } catch (error) {
      this.unlink();
      this.discard();
      throw error;
    }
  }

  lose(): void {
    this.#hasLost = true;
    this.#held = undefined;
    this.unlink();
    this.#link.abort(new DOMException('another member has answered', 'AbortError'));
  }

  unlink(): void {
    this.#link.unlink();
  }

  discard(): void {
    // No caller waits for it, so its error is ignored.
    this.answer.then((value) => this.#ask.discard?.(value)).catch(() => undefined);
  }
}
