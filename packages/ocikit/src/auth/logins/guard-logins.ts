// Guards a password check: few checks at a time, verdicts that are kept, and guessing that gets slow.
import { digestOf, onAbort, RegistryError } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import { usersFrom } from '../passwords/index.ts';
import type { LoginOrigin, PasswordCheck, Users } from '../passwords/index.ts';

import { addressGroup } from './address-group.ts';
import { AttemptQueue } from './attempt-queue.ts';
import type { Attempt } from './attempt-queue.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { Recent } from '../shared/index.ts';
import { WrongPasswords } from './wrong-passwords.ts';

/** Options of {@link guardLogins}. */
export interface GuardLoginsOptions {
  /** Checks at a time. bcrypt takes a thread of libuv's four for each. Default: 2 */
  atOnce?: number | undefined;
  /** Checks that wait for their turn. Further ones are refused with TOOMANYREQUESTS. Default: 64 */
  queue?: number | undefined;
  /** Milliseconds for which a right password is not checked again. Default: 5 minutes */
  keepRight?: number | undefined;
  /** Milliseconds for which a wrong password is not checked again. Default: 1 minute */
  keepWrong?: number | undefined;
  /** Verdicts of each kind in memory. Default: 4096 */
  verdicts?: number | undefined;
  /** Milliseconds after which a check without an answer fails with UNAVAILABLE. Default: 30 seconds */
  timeout?: number | undefined;
  /** The time. Default: the runtime's */
  clock?: Clock | undefined;
}

/** Users behind a guard. */
export interface GuardedUsers extends Users {
  /**
   * Checks a user's password, or gives the verdict of an earlier check.
   *
   * @throws RegistryError TOOMANYREQUESTS with `retryAfter`, if too many checks wait
   */
  check(user: string, password: string, origin?: LoginOrigin): Promise<Identity | undefined>;
  /** Forgets all verdicts. Each password is checked again. */
  clear(): void;
}

interface Verdict {
  readonly identity: Identity | undefined;
  readonly at: number;
  readonly generation: number;
}

interface Flight {
  readonly attempt: Attempt;
  readonly verdict: Promise<Identity | undefined>;
  waiters: number;
  hasStarted: boolean;
}

/**
 * Puts a guard around users, so that logins cannot take the machine.
 *
 * - Two checks run at a time and 64 wait. Addresses take turns, and the users of an address do. If all places are
 *   taken, the address with the most waiting checks loses one. An IPv6 network of 64 bits counts as one address.
 * - A verdict is kept under a keyed hash of the user and the password, for a limited time. A change of the users, and
 *   `clear`, end all verdicts.
 * - More than ten distinct wrong passwords of a user from an address within 15 minutes slow down further checks of that
 *   user from there, at last to one a second. A repeated wrong password counts once. The right one is accepted in its
 *   turn, and one that was right before does not even wait. Checks that would wait longer than ten seconds are refused.
 *
 * @example
 * const users = guardLogins(htpasswd(text));
 * const identity = await users.check('alice', 'secret', { address: '192.0.2.7' });
 */
export function guardLogins(users: Users | PasswordCheck, options: GuardLoginsOptions = {}): GuardedUsers {
  const inner = typeof users === 'function' ? usersFrom(users) : users;
  const guard = new Guard(inner, options);
  inner.onChange?.(() => guard.clear());
  return {
    check: (user, password, origin = {}) => guard.check(user, password, origin),
    clear: () => guard.clear(),
    ...(inner.find !== undefined && { find: inner.find.bind(inner) }),
    onChange: (listener) => inner.onChange?.(listener),
  };
}

class Guard {
  readonly #users: Users;
  readonly #keepRight: number;
  readonly #keepWrong: number;
  readonly #timeout: number;
  readonly #clock: Clock;
  readonly #right: Recent<Verdict>;
  readonly #wrongVerdicts: Recent<Verdict>;
  readonly #wrong = new WrongPasswords();
  readonly #queue: AttemptQueue;
  readonly #flights = new Map<string, Flight>();
  readonly #key = crypto.randomUUID();
  #generation = 0;

  constructor(users: Users, options: GuardLoginsOptions) {
    const { atOnce = 2, queue = 64, verdicts = 4096, clock = systemClock } = options;
    this.#users = users;
    this.#keepRight = options.keepRight ?? 5 * 60_000;
    this.#keepWrong = options.keepWrong ?? 60_000;
    this.#timeout = options.timeout ?? 30_000;
    this.#clock = clock;
    this.#right = new Recent(verdicts);
    this.#wrongVerdicts = new Recent(verdicts);
    this.#queue = new AttemptQueue({ atOnce, limit: queue, clock, wrong: this.#wrong });
  }

  clear(): void {
    // Right passwords stay known, so that their next checks need not wait behind others.
    this.#generation++;
    this.#wrongVerdicts.clear();
    this.#flights.clear();
  }

  async check(user: string, password: string, { address, signal }: LoginOrigin): Promise<Identity | undefined> {
    signal?.throwIfAborted();
    const key = this.#hash('login', user, password);
    const right = this.#right.get(key);
    if (right !== undefined && this.#isFresh(right, this.#keepRight)) return right.identity;
    const wrong = this.#wrongVerdicts.get(key);
    if (wrong !== undefined && this.#isFresh(wrong, this.#keepWrong)) return undefined;
    const flight =
      this.#flights.get(key) ?? this.#begin(key, { user, password, address, isKnown: right !== undefined });
    return this.#follow(key, flight, signal);
  }

  /** A keyed hash of a list of texts, so that a copy of the memory holds no password. */
  #hash(...texts: string[]): string {
    return digestOf(new TextEncoder().encode(JSON.stringify([this.#key, ...texts])));
  }

  #isFresh({ identity, at, generation }: Verdict, keep: number): boolean {
    const now = this.#clock.now();
    if (generation !== this.#generation || now < at || now - at >= keep) return false;
    return identity?.expires === undefined || now < identity.expires;
  }

  #begin(
    key: string,
    login: { user: string; password: string; address: string | undefined; isKnown: boolean },
  ): Flight {
    const { user, password, isKnown } = login;
    const address = addressGroup(login.address);
    const pair = this.#hash('pair', user, address);
    const generation = this.#generation;
    let settle: (verdict: Promise<Identity | undefined>) => void = () => {};
    const verdict = new Promise<Identity | undefined>((resolve) => (settle = resolve));
    // All who waited may have left.
    verdict.catch(() => {});
    const end = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const attempt: Attempt = {
      pair,
      address,
      isKnown,
      start: async () => {
        flight.hasStarted = true;
        const checked = this.#checkNow(user, password, login.address).then((identity) => {
          this.#keep(key, { identity, at: this.#clock.now(), generation });
          if (identity === undefined) this.#wrong.add(pair, address, key, this.#clock.now());
          return identity;
        });
        settle(checked);
        await checked.catch(() => {});
        end();
      },
      refuse: (retryAfter) => {
        end();
        settle(Promise.reject(tooMany(retryAfter)));
      },
    };
    const flight: Flight = { attempt, verdict, waiters: 0, hasStarted: false };
    this.#flights.set(key, flight);
    this.#queue.add(attempt);
    return flight;
  }

  #keep(key: string, verdict: Verdict): void {
    if (verdict.generation !== this.#generation) return;
    if (verdict.identity === undefined) {
      this.#right.delete(key);
      this.#wrongVerdicts.set(key, verdict);
    } else {
      this.#wrongVerdicts.delete(key);
      this.#right.set(key, verdict);
    }
  }

  /** Ends after the time limit, so that a check that hangs does not keep its place for ever. */
  async #checkNow(user: string, password: string, address: string | undefined): Promise<Identity | undefined> {
    let stop: (() => void) | undefined;
    const late = new Promise<never>((_, reject) => {
      const message = `the check of a password took longer than ${this.#timeout / 1000} seconds: try again later`;
      stop = this.#clock.after(this.#timeout, () => reject(new RegistryError('UNAVAILABLE', message)));
    });
    try {
      return await Promise.race([this.#users.check(user, password, { address }), late]);
    } finally {
      stop?.();
    }
  }

  /** Waits for a verdict. If all who waited have left before its turn, the check is not made. */
  async #follow(key: string, flight: Flight, signal: AbortSignal | undefined): Promise<Identity | undefined> {
    if (signal === undefined) {
      flight.waiters = Infinity;
      return flight.verdict;
    }
    flight.waiters++;
    let forget: (() => void) | undefined;
    const left = new Promise<'left'>((resolve) => {
      forget = onAbort(signal, () => resolve('left'));
    });
    try {
      const outcome = await Promise.race([flight.verdict.then((identity) => ({ identity })), left]);
      if (outcome !== 'left') return outcome.identity;
    } finally {
      forget?.();
      flight.waiters--;
    }
    if (flight.waiters === 0 && !flight.hasStarted) {
      this.#queue.remove(flight.attempt);
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    }
    signal.throwIfAborted();
    return undefined;
  }
}

function tooMany(seconds: number): RegistryError {
  const retryAfter = Math.max(1, seconds);
  return new RegistryError('TOOMANYREQUESTS', `too many logins are being checked: try again in ${retryAfter} s`, {
    retryAfter,
  });
}
