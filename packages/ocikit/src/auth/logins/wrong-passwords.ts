// Counts distinct wrong passwords, and says how much a guessing client is slowed down.
import { Recent } from '../shared/index.ts';

/** Distinct wrong passwords of one user from one address without any delay. */
const freeForUser = 10;
/** Distinct wrong logins from one address, of all users, before it gets only one check at a time. */
const freeForAddress = 30;
/** Milliseconds after which a count starts anew. */
const countedFor = 15 * 60_000;
/** Milliseconds between two checks: after the first password too many, and at most. */
const firstGap = 50;
const longestGap = 1000;
/** Distinct passwords that are told apart; further ones change nothing. */
const mostCounted = 64;
/** Pairs of user and address, and addresses, with counts. */
const mostKnown = 20_000;

interface Count {
  readonly passwords: Set<string>;
  readonly since: number;
}

/**
 * The wrong passwords of the last quarter of an hour. A client that repeats one stale password counts once: a single
 * push of docker sends it twenty times.
 */
export class WrongPasswords {
  readonly #ofUser = new Recent<Count>(mostKnown);
  readonly #ofAddress = new Recent<Count>(mostKnown);

  /**
   * Counts a wrong password.
   *
   * @param user the key of the user and the address
   * @param password a hash of user and password
   */
  add(user: string, address: string, password: string, now: number): void {
    count(this.#ofUser, user, password, now);
    count(this.#ofAddress, address, password, now);
  }

  /** Milliseconds between the starts of two checks for this user from this address. */
  gap(user: string, now: number): number {
    const excess = sizeOf(this.#ofUser, user, now) - freeForUser;
    return excess <= 0 ? 0 : Math.min(longestGap, firstGap * 2 ** (excess - 1));
  }

  /** True if the address guesses: it gets one check at a time. */
  isGuessing(address: string, now: number): boolean {
    return sizeOf(this.#ofAddress, address, now) > freeForAddress;
  }
}

function count(counts: Recent<Count>, key: string, password: string, now: number): void {
  let found = counts.get(key);
  if (found === undefined || isOver(found, now)) {
    found = { passwords: new Set(), since: now };
    counts.set(key, found);
  }
  if (found.passwords.size < mostCounted) found.passwords.add(password);
}

function sizeOf(counts: Recent<Count>, key: string, now: number): number {
  const found = counts.get(key);
  return found === undefined || isOver(found, now) ? 0 : found.passwords.size;
}

/** Also after the date was set back. */
function isOver({ since }: Count, now: number): boolean {
  return now < since || now - since >= countedFor;
}
