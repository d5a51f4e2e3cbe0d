import { linkSignal } from '../../../model/index.ts';
import type { CallOptions, LinkedSignal, OnTransferEvent, TransferEvent } from '../../../model/index.ts';

import type { Caller, MemberFailure, Member } from '../members/index.ts';
import { isUnknown, mostTelling } from '../members/index.ts';

/** How members are asked for what all of them may have. */
export type ReadOrder = 'sequential' | 'concurrent';

/** A read of one member. */
export interface MemberRead<T> {
  call: (member: Member, options: CallOptions) => Promise<T>;
  /** Lets go of an answer that came too late. */
  discard?: ((value: T) => Promise<void>) | undefined;
}

export interface FirstAnswer<T> {
  member: Member;
  value: T;
  /** Who may have it, too: all that have not said that they do not. */
  others: readonly Member[];
  /** The answer is read, and the caller may end what is left of it no more. */
  end: () => void;
}

/** One after another, until one has it. */
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

/** All at once. The first one that has it wins; the others are told to stop, and what they bring yet is let go. */
export async function readAtOnce<T>(
  members: readonly Member[],
  ask: MemberRead<T>,
  options: CallOptions,
  caller: Caller,
): Promise<FirstAnswer<T>> {
  const runners = members.map((member) => new RunningRead(member, ask, options, caller));
  let winner: RunningRead<T> | undefined;
  try {
    const { failures, ...first } = await firstOf(runners, caller.signal);
    winner = first.runner;
    for (const runner of runners) if (runner !== winner) runner.lose();
    await winner.win();
    const { member } = winner;
    const end = (): void => {
      first.runner.unlink();
      caller.leave();
    };
    return { member, value: first.value, others: othersOf(members, member, failures), end };
  } catch (error) {
    for (const runner of runners) if (runner !== winner) runner.lose();
    caller.assertWants();
    throw error;
  }
}

/**
 * The first answer. What comes after it, or after the signal, is let go.
 *
 * @throws the most telling error if all fail; what the signal was aborted with
 */
function firstOf<T>(
  runners: readonly RunningRead<T>[],
  signal: AbortSignal,
): Promise<{ runner: RunningRead<T>; value: T; failures: readonly MemberFailure[] }> {
  return new Promise((resolve, reject) => {
    const failures: MemberFailure[] = [];
    let decided = false;
    const decide = (): void => {
      decided = true;
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = (): void => {
      decide();
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    for (const runner of runners) {
      runner.answer.then(
        (value) => {
          if (decided) return runner.discard();
          decide();
          return resolve({ runner, value, failures });
        },
        (error: unknown) => {
          failures.push({ member: runner.member, error });
          if (decided || failures.length < runners.length) return;
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

/** A member that is asked beside others. What it tells of is told to the caller only if it wins. */
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
    // Also what it throws before it waits for anything is its answer.
    this.answer = (async () => ask.call(member, { ...options, signal: link.signal, onEvent }))();
  }

  #onEvent(event: TransferEvent): void {
    if (this.#held !== undefined) this.#held.push(event);
    else if (!this.#hasLost) this.#tell?.(event);
  }

  /** Tells what was held back. If the listener has had enough, the answer is let go. */
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
    // Nobody waits for it.
    this.answer.then((value) => this.#ask.discard?.(value)).catch(() => undefined);
  }
}
