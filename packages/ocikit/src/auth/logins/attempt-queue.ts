// The queue of password checks: few at a time, fair between addresses and between the users of one address.
import type { Clock } from './clock.ts';
import type { WrongPasswords } from './wrong-passwords.ts';

/** A check that waits for its turn. */
export interface Attempt {
  /** The key of the user and the address. */
  readonly pair: string;
  /** The group of the address. */
  readonly address: string;
  /** The password was right before: the attempt passes all others, and nothing slows it down. */
  readonly isKnown: boolean;
  /** Does the work. It never rejects. */
  start(): Promise<void>;
  /** Called instead of `start`, if there is no room. */
  refuse(retryAfter: number): void;
}

/** Milliseconds that an attempt waits at most because of a gap between checks. */
const longestWait = 10_000;

/** Runs attempts, few at a time. */
export class AttemptQueue {
  readonly #atOnce: number;
  readonly #limit: number;
  readonly #clock: Clock;
  readonly #wrong: WrongPasswords;

  #running = 0;
  readonly #runningOf = new Map<string, number>();
  readonly #known = new Set<Attempt>();
  /** By address, then by pair. The first address is served next, and of it the first pair. */
  readonly #lines = new Map<string, Map<string, Attempt[]>>();
  #waiting = 0;
  /** When the last check of a pair has started. Only pairs with waiting attempts, and those that ran recently. */
  readonly #started = new Map<string, number>();
  #stopTimer: (() => void) | undefined;
  /** Milliseconds that a check takes, on average. */
  #duration = 100;

  constructor(options: { atOnce: number; limit: number; clock: Clock; wrong: WrongPasswords }) {
    this.#atOnce = options.atOnce;
    this.#limit = options.limit;
    this.#clock = options.clock;
    this.#wrong = options.wrong;
  }

  /** Runs an attempt in its turn, or refuses it or another one. */
  add(attempt: Attempt): void {
    if (attempt.isKnown) this.#known.add(attempt);
    else if (!this.#enqueue(attempt)) return;
    this.#pump();
  }

  /** Takes an attempt out, if it has not started. */
  remove(attempt: Attempt): void {
    if (!this.#known.delete(attempt)) this.#dequeue(attempt);
  }

  #enqueue(attempt: Attempt): boolean {
    const { pair, address } = attempt;
    const gap = this.#wrong.gap(pair, this.#clock.now());
    const line = this.#lines.get(address)?.get(pair)?.length ?? 0;
    if (gap > 0 && (line + 1) * gap > longestWait) {
      attempt.refuse(Math.ceil((line * gap) / 1000));
      return false;
    }
    if (this.#mustWait() && this.#waiting >= this.#limit && !this.#makeRoom(attempt)) {
      attempt.refuse(this.#retryAfter());
      return false;
    }
    const pairs = this.#lines.get(address) ?? new Map<string, Attempt[]>();
    this.#lines.set(address, pairs);
    pairs.set(pair, [...(pairs.get(pair) ?? []), attempt]);
    this.#waiting++;
    return true;
  }

  #mustWait(): boolean {
    return this.#running >= this.#atOnce || this.#waiting > 0;
  }

  #retryAfter(): number {
    return Math.max(1, Math.ceil((this.#waiting * this.#duration) / this.#atOnce / 1000));
  }

  /** Refuses the newest attempt of the address, or of the user, that has most. False if the newcomer has as many. */
  #makeRoom({ address, pair }: Attempt): boolean {
    const own = this.#lines.get(address);
    const most = longest(this.#lines, countOf);
    // A difference of one would only change places.
    const from = most !== undefined && countOf(most) >= (own === undefined ? 0 : countOf(own)) + 2 ? most : own;
    const line = from && longest(from, lengthOf);
    if (line === undefined || (from === own && line.length < (own?.get(pair)?.length ?? 0) + 2)) return false;
    const last = line.at(-1);
    if (last === undefined) return false;
    this.#dequeue(last);
    last.refuse(this.#retryAfter());
    return true;
  }

  #dequeue(attempt: Attempt): void {
    const pairs = this.#lines.get(attempt.address);
    const line = pairs?.get(attempt.pair);
    if (pairs === undefined || line === undefined || !line.includes(attempt)) return;
    this.#waiting--;
    const rest = line.filter((other) => other !== attempt);
    if (rest.length > 0) pairs.set(attempt.pair, rest);
    else pairs.delete(attempt.pair);
    if (pairs.size === 0) this.#lines.delete(attempt.address);
  }

  #pump(): void {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    while (this.#running < this.#atOnce) {
      const next = this.#next();
      if (next === undefined) return;
      if (typeof next === 'number') {
        this.#stopTimer = this.#clock.after(next, () => this.#pump());
        return;
      }
      void this.#run(next);
    }
  }

  /** The next attempt; or the milliseconds until there may be one. */
  #next(): Attempt | number | undefined {
    const [known] = this.#known;
    if (known !== undefined) {
      this.#known.delete(known);
      return known;
    }
    const now = this.#clock.now();
    let soonest: number | undefined;
    for (const [address, pairs] of this.#lines) {
      // The end of the running check calls again.
      if ((this.#runningOf.get(address) ?? 0) > 0 && this.#wrong.isGuessing(address, now)) continue;
      for (const [pair, [attempt]] of pairs) {
        if (attempt === undefined) continue;
        const wait = this.#waitOf(pair, now);
        if (wait === 0) {
          this.#dequeue(attempt);
          this.#moveToEnd(address, pair);
          return attempt;
        }
        soonest = Math.min(soonest ?? wait, wait);
      }
    }
    return soonest;
  }

  #waitOf(pair: string, now: number): number {
    const gap = this.#wrong.gap(pair, now);
    const started = this.#started.get(pair);
    // The date may have been set back.
    return started === undefined ? 0 : Math.min(gap, Math.max(0, started + gap - now));
  }

  /** The address, and of it the user, come again after all others. */
  #moveToEnd(address: string, pair: string): void {
    const pairs = this.#lines.get(address);
    if (pairs === undefined) return;
    this.#lines.delete(address);
    this.#lines.set(address, pairs);
    const line = pairs.get(pair);
    if (line === undefined) return;
    pairs.delete(pair);
    pairs.set(pair, line);
  }

  async #run(attempt: Attempt): Promise<void> {
    const { address, pair } = attempt;
    const began = this.#clock.now();
    this.#remember(pair, began);
    this.#running++;
    this.#runningOf.set(address, (this.#runningOf.get(address) ?? 0) + 1);
    await attempt.start();
    this.#running--;
    const rest = (this.#runningOf.get(address) ?? 1) - 1;
    if (rest > 0) this.#runningOf.set(address, rest);
    else this.#runningOf.delete(address);
    this.#duration += (Math.max(0, this.#clock.now() - began) - this.#duration) / 8;
    this.#trim(attempt);
    this.#pump();
  }

  #remember(pair: string, now: number): void {
    this.#started.delete(pair);
    this.#started.set(pair, now);
    for (const [old, time] of this.#started) {
      // Longer than the longest gap, or the date was set back.
      if (now >= time && now - time < longestWait) break;
      this.#started.delete(old);
    }
  }

  /** A verdict may have widened the gap of a user whose attempts wait: the newest would wait too long. */
  #trim({ address, pair }: Attempt): void {
    const gap = this.#wrong.gap(pair, this.#clock.now());
    const line = this.#lines.get(address)?.get(pair) ?? [];
    if (gap === 0) return;
    for (const attempt of line.slice(Math.floor(longestWait / gap))) {
      this.#dequeue(attempt);
      attempt.refuse(Math.ceil(longestWait / 1000));
    }
  }
}

function longest<Value>(all: ReadonlyMap<string, Value>, sizeOf: (value: Value) => number): Value | undefined {
  let found: Value | undefined;
  for (const value of all.values()) if (found === undefined || sizeOf(value) > sizeOf(found)) found = value;
  return found;
}

function lengthOf(line: readonly Attempt[]): number {
  return line.length;
}

function countOf(pairs: ReadonlyMap<string, readonly Attempt[]>): number {
  let sum = 0;
  for (const line of pairs.values()) sum += line.length;
  return sum;
}
