// A member of a unified registry, and asking several members at once.
import type { Registry } from '../../../model/index.ts';

/** One of the registries of a unified one. */
export interface Member {
  /** Its place among the members, from 0. Errors name it by this. */
  readonly index: number;
  /** The registry itself. */
  readonly registry: Registry;
}

/** The result of asking one member. */
export type MemberAnswer<T> = { member: Member; value: T } | MemberFailure;

/** A member's failure. */
export interface MemberFailure {
  /** The member that failed. */
  member: Member;
  /** Its error. */
  error: unknown;
}

/** Asks these members at the same time, and waits for all answers. */
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

/** The answers without the failures. */
export function valuesIn<T>(answers: readonly MemberAnswer<T>[]): { member: Member; value: T }[] {
  return answers.filter((answer) => 'value' in answer);
}

/** The failures among the answers. */
export function failuresIn(answers: readonly MemberAnswer<unknown>[]): MemberFailure[] {
  return answers.filter((answer) => 'error' in answer);
}
