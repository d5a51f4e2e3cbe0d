import { describe, expect, test } from 'vitest';

import { identityOf, isRegistryError } from '../../model/index.ts';
import type { Identity } from '../../model/index.ts';

import type { Users } from '../passwords/index.ts';

import type { Clock } from './clock.ts';
import { guardLogins } from './guard-logins.ts';
import type { GuardLoginsOptions } from './guard-logins.ts';

/** Time that passes only in `advance`. */
class TestClock implements Clock {
  time = 1_000_000;
  readonly #timers = new Set<{ at: number; call: () => void }>();

  now(): number {
    return this.time;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { at: this.time + milliseconds, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    for (;;) {
      await settle();
      const [next] = [...this.#timers].filter(({ at }) => at <= end).toSorted((one, other) => one.at - other.at);
      if (next === undefined) break;
      this.time = Math.max(this.time, next.at);
      this.#timers.delete(next);
      next.call();
    }
    this.time = end;
    await settle();
  }
}

/** Lets all promises that are ready go through their steps. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Users whose password is `right`, and whose checks take a tenth of a second. */
class SlowUsers implements Users {
  readonly checked: string[] = [];
  running = 0;
  mostRunning = 0;
  identity: Partial<Identity> = {};
  rightPassword = 'right';
  readonly #clock: TestClock;

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  async check(user: string, password: string): Promise<Identity | undefined> {
    this.checked.push(`${user}:${password}`);
    this.mostRunning = Math.max(this.mostRunning, ++this.running);
    await new Promise<void>((resolve) => void this.#clock.after(100, resolve));
    this.running--;
    if (password === 'broken') throw new Error('the directory is down');
    return password === this.rightPassword ? identityOf(user, this.identity) : undefined;
  }
}

function setUp(options: GuardLoginsOptions = {}) {
  const clock = new TestClock();
  const users = new SlowUsers(clock);
  return { clock, users, guard: guardLogins(users, { clock, ...options }) };
}

/** The outcome of a promise so far. */
function watch<T>(promise: Promise<T>): { state: 'waiting' | 'done' | 'failed'; value?: T; error?: unknown } {
  const seen: ReturnType<typeof watch<T>> = { state: 'waiting' };
  promise.then(
    (value) => Object.assign(seen, { state: 'done', value }),
    (error: unknown) => Object.assign(seen, { state: 'failed', error }),
  );
  return seen;
}

describe('a guard of logins', () => {
  test('gives the verdict of the users', async () => {
    const { clock, guard } = setUp();
    const right = watch(guard.check('alice', 'right'));
    const wrong = watch(guard.check('alice', 'wrong'));
    await clock.advance(100);
    expect(right.value).toMatchObject({ user: 'alice' });
    expect(wrong).toEqual({ state: 'done', value: undefined });
  });

  test('takes a function as well', async () => {
    const guard = guardLogins((user, password) => (password === 'x' ? identityOf(user) : undefined));
    expect(await guard.check('a', 'x')).toMatchObject({ user: 'a' });
    expect(await guard.check('a', 'y')).toBeUndefined();
  });

  test('makes two checks at a time, and refuses the 65th that waits with the seconds until a retry', async () => {
    const { clock, users, guard } = setUp();
    const logins = Array.from({ length: 67 }, (_, i) =>
      watch(guard.check(`user-${i}`, 'right', { address: `10.0.0.${i}` })),
    );
    await settle();
    expect(logins.map(({ state }) => state)).toEqual([...Array<string>(66).fill('waiting'), 'failed']);
    const { error } = logins[66] ?? {};
    expect(isRegistryError(error, 'TOOMANYREQUESTS') && error.retryAfter).toBeGreaterThan(0);
    await clock.advance(3300);
    expect(logins.slice(0, 66).every(({ value }) => value?.user !== undefined)).toBe(true);
    expect(users.mostRunning).toBe(2);
  });

  test('checks a password once for all who ask meanwhile, and remembers right and wrong ones', async () => {
    const { clock, users, guard } = setUp({ keepRight: 5000, keepWrong: 1000 });
    const logins = Array.from({ length: 20 }, () => watch(guard.check('alice', 'right')));
    await clock.advance(100);
    expect(logins.every(({ value }) => value?.user === 'alice')).toBe(true);
    expect(users.checked).toEqual(['alice:right']);

    void guard.check('alice', 'wrong');
    await clock.advance(999);
    expect(await guard.check('alice', 'right')).toBeDefined();
    expect(await guard.check('alice', 'wrong')).toBeUndefined();
    expect(users.checked).toHaveLength(2);
    await clock.advance(1000);
    void guard.check('alice', 'wrong');
    await clock.advance(3001);
    void guard.check('alice', 'right');
    await clock.advance(100);
    expect(users.checked).toEqual(['alice:right', 'alice:wrong', 'alice:wrong', 'alice:right']);
  });

  test('keeps users and passwords apart whose texts joined are the same', async () => {
    const { clock, users, guard } = setUp();
    for (const [user, password] of [
      ['ab', 'c'],
      ['a', 'bc'],
      ['a","b', 'c'],
    ] as const) {
      void guard.check(user, password);
      await clock.advance(100);
    }
    expect(users.checked).toHaveLength(3);
  });

  test('remembers a bounded number of verdicts', async () => {
    const { clock, users, guard } = setUp({ verdicts: 10 });
    for (let i = 0; i < 30; i++) {
      void guard.check(`user-${i}`, 'right');
      await clock.advance(100);
    }
    void guard.check('user-0', 'right');
    await clock.advance(100);
    expect(users.checked).toHaveLength(31);
    expect(await guard.check('user-29', 'right')).toBeDefined();
  });

  test('does not remember an identity beyond its end', async () => {
    const { clock, users, guard } = setUp();
    users.identity = { expires: clock.now() + 1000 };
    void guard.check('alice', 'right');
    await clock.advance(999);
    expect(await guard.check('alice', 'right')).toBeDefined();
    expect(users.checked).toHaveLength(1);
    await clock.advance(1);
    void guard.check('alice', 'right');
    await clock.advance(100);
    expect(users.checked).toHaveLength(2);
  });

  test('forgets verdicts when it is cleared, those of running checks too', async () => {
    const { clock, users, guard } = setUp();
    void guard.check('alice', 'right');
    await clock.advance(100);
    void guard.check('alice', 'new');
    await clock.advance(50);
    users.rightPassword = 'new';
    guard.clear();
    const old = watch(guard.check('alice', 'right'));
    const fresh = watch(guard.check('alice', 'new'));
    await clock.advance(300);
    expect(old).toEqual({ state: 'done', value: undefined });
    expect(fresh.value).toMatchObject({ user: 'alice' });
    expect(users.checked).toEqual(['alice:right', 'alice:new', 'alice:right', 'alice:new']);
  });

  test('is cleared when the users change', async () => {
    const clock = new TestClock();
    const listeners: (() => void)[] = [];
    const users = Object.assign(new SlowUsers(clock), {
      onChange: (listener: () => void) => void listeners.push(listener),
    });
    const guard = guardLogins(users, { clock });
    void guard.check('alice', 'right');
    await clock.advance(100);
    for (const listener of listeners) listener();
    void guard.check('alice', 'right');
    await clock.advance(100);
    expect(users.checked).toHaveLength(2);
  });

  test('passes an error on, does not remember it, and does not count it as a wrong password', async () => {
    const { clock, users, guard } = setUp();
    for (let i = 0; i < 30; i++) {
      const login = watch(guard.check('alice', 'broken'));
      await clock.advance(100);
      expect(login.error).toEqual(new Error('the directory is down'));
    }
    expect(users.checked).toHaveLength(30);
  });

  test('ends a check that hangs, so that two of them do not end all logins', async () => {
    const clock = new TestClock();
    const guard = guardLogins((user) => (user === 'hangs' ? new Promise<undefined>(() => {}) : identityOf(user)), {
      clock,
      timeout: 1000,
    });
    const hanging = ['1', '2', '3'].map((password) => watch(guard.check('hangs', password)));
    const other = watch(guard.check('alice', 'x', { address: '192.0.2.1' }));
    await clock.advance(1000);
    expect(other.value).toMatchObject({ user: 'alice' });
    expect(isRegistryError(hanging[0]?.error, 'UNAVAILABLE')).toBe(true);
  });

  test('ends a wait with its signal, and does not make a check for which all have left', async () => {
    const { clock, users, guard } = setUp();
    void guard.check('a', 'right');
    void guard.check('b', 'right');
    const one = new AbortController();
    const other = new AbortController();
    const left = watch(guard.check('alice', 'right', { signal: one.signal }));
    const stays = watch(guard.check('alice', 'right', { signal: other.signal }));
    const gone = watch(guard.check('carol', 'right', { signal: one.signal }));
    one.abort(new Error('left'));
    await clock.advance(300);
    expect(left.error).toEqual(new Error('left'));
    expect(gone.error).toEqual(new Error('left'));
    expect(stays.value).toMatchObject({ user: 'alice' });
    expect(users.checked).toEqual(['a:right', 'b:right', 'alice:right']);
    await expect(guard.check('alice', 'right', { signal: one.signal })).rejects.toThrow('left');
  });
});

describe('fairness', () => {
  test('lets others in within two seconds while one address tries a thousand passwords a second', async () => {
    const { clock, guard } = setUp();
    let attempts = 0;
    const flood = async (milliseconds: number): Promise<void> => {
      for (let i = 0; i < milliseconds; i += 10) {
        for (let j = 0; j < 10; j++) watch(guard.check('admin', `wrong-${attempts++}`, { address: '192.0.2.66' }));
        await clock.advance(10);
      }
    };
    await flood(2000);
    const logins = [
      watch(guard.check('alice', 'right', { address: '192.0.2.1' })),
      watch(guard.check('bob', 'right', { address: '2001:db8::1' })),
      // Another user of the same address, as behind a proxy.
      watch(guard.check('carol', 'right', { address: '192.0.2.66' })),
    ];
    await flood(1500);
    expect(logins.map(({ value }) => value?.user)).toEqual(['alice', 'bob', 'carol']);
  });

  test('lets others in while one address tries a thousand users a second', async () => {
    const { clock, guard } = setUp();
    let attempts = 0;
    const flood = async (milliseconds: number): Promise<void> => {
      for (let i = 0; i < milliseconds; i += 10) {
        for (let j = 0; j < 10; j++) watch(guard.check(`user-${attempts++}`, 'wrong', { address: '192.0.2.66' }));
        await clock.advance(10);
      }
    };
    void guard.check('carol', 'right', { address: '192.0.2.66' });
    await clock.advance(100);
    await flood(2000);
    guard.clear();
    const other = watch(guard.check('alice', 'right', { address: '192.0.2.1' }));
    // Its password was right before, so it waits behind no other.
    const known = watch(guard.check('carol', 'right', { address: '192.0.2.66' }));
    await flood(500);
    expect([other.value?.user, known.value?.user]).toEqual(['alice', 'carol']);
  });

  test('counts a network of IPv6 as one address', async () => {
    const { clock, guard } = setUp();
    const flood = Array.from({ length: 66 }, (_, i) =>
      watch(guard.check('admin', `wrong-${i}`, { address: `2001:db8::${i.toString(16)}` })),
    );
    await settle();
    expect(flood.every(({ state }) => state === 'waiting')).toBe(true);
    const other = watch(guard.check('alice', 'right', { address: '2001:db8:1::1' }));
    await settle();
    // One of the flood has lost its place.
    expect(flood.filter(({ state }) => state === 'failed')).toHaveLength(1);
    await clock.advance(500);
    expect(other.value).toMatchObject({ user: 'alice' });
  });
});

describe('guessing', () => {
  /** Tries passwords one after another, and returns the milliseconds that each took. */
  const timesOf = async (
    { clock, guard }: Pick<ReturnType<typeof setUp>, 'clock' | 'guard'>,
    passwords: readonly string[],
    address = '192.0.2.66',
  ): Promise<number[]> => {
    const times: number[] = [];
    for (const password of passwords) {
      const login = watch(guard.check('alice', password, { address }));
      const began = clock.now();
      while (login.state === 'waiting') await clock.advance(10);
      expect(login.state).toBe('done');
      times.push(clock.now() - began);
    }
    return times;
  };
  const guesses = (count: number): string[] => Array.from({ length: count }, (_, i) => `guess-${i}`);

  test('gets slow with distinct wrong passwords, at last one a second', async () => {
    const times = await timesOf(setUp(), guesses(20));
    expect(times.slice(0, 11)).toEqual(Array<number>(11).fill(100));
    expect(times.slice(-3).every((time) => time >= 1000 && time <= 1100)).toBe(true);
  });

  test('does not refuse the right password, and makes it wait a second at most', async () => {
    const setup = setUp();
    await timesOf(setup, guesses(30));
    const [time = Infinity] = await timesOf(setup, ['right']);
    expect(time).toBeLessThanOrEqual(1100);
    expect(await setup.guard.check('alice', 'right', { address: '192.0.2.66' })).toMatchObject({ user: 'alice' });
  });

  test('does not delay a password that was right before', async () => {
    const setup = setUp({ keepRight: 1000 });
    await timesOf(setup, ['right', ...guesses(30)]);
    expect(await timesOf(setup, ['right'])).toEqual([100]);
  });

  test('is not what repeats one stale password, also after its verdict was forgotten', async () => {
    const setup = setUp({ keepWrong: 0 });
    const times = await timesOf(setup, Array<string>(50).fill('stale'));
    expect(setup.users.checked.length).toBeGreaterThan(40);
    expect(Math.max(...times)).toBe(100);
  });

  test('slows down neither other addresses nor other users', async () => {
    const setup = setUp();
    await timesOf(setup, guesses(30));
    expect(await timesOf(setup, ['other'], '192.0.2.1')).toEqual([100]);
    const bob = watch(setup.guard.check('bob', 'right', { address: '192.0.2.66' }));
    await setup.clock.advance(100);
    expect(bob.value).toMatchObject({ user: 'bob' });
  });

  test('is forgotten after a quarter of an hour', async () => {
    const setup = setUp();
    await timesOf(setup, guesses(30));
    await setup.clock.advance(15 * 60_000);
    expect(await timesOf(setup, ['other'])).toEqual([100]);
  });

  test('of many passwords at once leaves at most ten that wait, and says when to try again', async () => {
    const { clock, users, guard } = setUp();
    const logins = Array.from({ length: 60 }, (_, i) =>
      watch(guard.check('alice', `guess-${i}`, { address: '192.0.2.66' })),
    );
    await clock.advance(60_000);
    expect(users.checked.length).toBeLessThan(60);
    expect(logins.filter(({ state }) => state === 'waiting')).toEqual([]);
    const refused = logins.filter(({ state }) => state === 'failed');
    expect(refused.length).toBe(60 - users.checked.length);
    for (const { error } of refused) {
      expect(isRegistryError(error, 'TOOMANYREQUESTS') && error.retryAfter).toBeGreaterThan(0);
    }
  });

  test('from one address with many users takes one check at a time', async () => {
    const { clock, users, guard } = setUp();
    for (let i = 0; i < 40; i++) {
      void guard.check(`user-${i}`, 'wrong', { address: '192.0.2.66' });
      await clock.advance(100);
    }
    users.mostRunning = 0;
    for (let i = 40; i < 50; i++) void guard.check(`user-${i}`, 'wrong', { address: '192.0.2.66' });
    await clock.advance(1000);
    expect(users.checked).toHaveLength(50);
    expect(users.mostRunning).toBe(1);
  });
});
