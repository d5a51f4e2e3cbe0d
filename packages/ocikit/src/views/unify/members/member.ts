import type { Registry } from '../../../model/index.ts';

/** One of the registries that are shown as one. */
export interface Member {
  /** Its place among them, from 0: what errors call it. */
  readonly index: number;
  readonly registry: Registry;
}

/** What came of asking a member. */
export type MemberAnswer<T> = { member: Member; value: T } | MemberFailure;

/** What a member has failed with. */
export interface MemberFailure {
  member: Member;
  error: unknown;
}

/** Asks all of these at the same time, and waits for each. */
export async function askAll<T>(
  members: readonly Member[],
  ask: (member: Member, i: number) => Promise<T>,
): Promise<MemberAnswer<T>[]> {
  return Promise.all(
    members.map(async (member, i) => {
      try {
        return { member, value: await ask(member, i) };
      } catch (error) {
        return { member, error };
      }
    }),
  );
}

/** Those that have answered. */
export function valuesIn<T>(answers: readonly MemberAnswer<T>[]): { member: Member; value: T }[] {
  return answers.filter((answer) => 'value' in answer);
}

export function failuresIn(answers: readonly MemberAnswer<unknown>[]): MemberFailure[] {
  return answers.filter((answer) => 'error' in answer);
}
