// Sharing the event loop's turns between the bodies that arrive, so that small requests and new connections go first.
/** A body that arrives. */
export interface Receiver {
  /** Stops receiving. Some bytes may still arrive. */
  pause(): void;
  /** Receives again. */
  resume(): void;
}

/** Bytes that all bodies together receive before other work of the process has its turn. */
const mostInTurn = 4 * 1024 * 1024;
/** As {@link mostInTurn}, while more bodies wait than are received. */
const mostInTurnOfMany = 1024 * 1024;
/** Bodies that are received at the same time. Each one may receive 64 KiB before it can be paused. */
const mostActive = 16;
/**
 * Bytes after which a body waits again, if others wait. This is a mebibyte and one more read: a body of one mebibyte
 * would wait behind all others, although only its end is missing.
 */
const share = 1024 * 1024 + 64 * 1024;
/** Milliseconds after which a body without new bytes no longer counts as active. */
const idleTime = 20;
/** As {@link idleTime}, in turns: while a turn is long, no body gets bytes. */
const idleTurns = 3;
/** Turns for which new connections may hold the bodies up. A turn with a connection alone takes about 0.2 ms. */
const longestHold = 256;

interface Place {
  /** Bytes since the body became active. */
  bytes: number;
  /** When the last ones came, by the clock. */
  lastAt: number;
  /** The turn in which they came. */
  lastTurn: number;
}

/**
 * Decides which bodies are received in a turn of the event loop. Node accepts one connection in each turn, so a turn in
 * which hundreds of bodies are received, hashed and written lets every new connection wait.
 */
export class ReceivingTurns {
  readonly #now: () => number;
  readonly #active = new Map<Receiver, Place>();
  /** Bodies that wait for a place among the active ones, in the order of their arrival. */
  readonly #waiting = new Set<Receiver>();
  /** Active bodies that are paused until the next turn. */
  #paused = new Set<Receiver>();
  #bytesInTurn = 0;
  /** Counts the turns. */
  #turn = 0;
  #isTurnPlanned = false;
  #isLookPlanned = false;
  /** True if a connection came in this turn. */
  #hasAccepted = false;
  /** Turns for which connections have held the bodies up; undefined if they do not. */
  #held: number | undefined;
  /** True in a turn in which bodies go on although connections come. */
  #isTurnOfBodies = false;

  /** @param now milliseconds, from a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** True if more bodies wait than are received. */
  get isCrowded(): boolean {
    return this.#waiting.size > 0;
  }

  /** Notes a new connection. More may wait to be accepted: for a short while, they go before the bodies. */
  noteConnection(): void {
    this.#hasAccepted = true;
    if (this.#active.size > 0) this.#hold();
  }

  /**
   * Asks for a place for a body.
   *
   * @param before the receiver of the same body before this one, which leaves its place to it
   * @returns false if it has to wait; `resume` is called when it may receive
   */
  enter(receiver: Receiver, before?: Receiver): boolean {
    if (before !== undefined && this.#active.has(before)) this.leave(before);
    else if (this.#active.has(receiver)) return !this.#paused.has(receiver);
    else if (this.#waiting.size > 0 || this.#active.size >= mostActive) {
      // A body that waits already keeps its position.
      this.#waiting.add(receiver);
      this.#planTurn();
      return false;
    }
    this.#active.set(receiver, { bytes: 0, lastAt: this.#now(), lastTurn: this.#turn });
    if (this.#held !== undefined || this.#hasAccepted) this.#hold();
    return !this.#paused.has(receiver);
  }

  /**
   * Counts bytes of a body.
   *
   * @returns false if it has to pause; `resume` is called when it may go on
   */
  count(receiver: Receiver, bytes: number): boolean {
    this.#bytesInTurn += bytes;
    this.#planTurn();
    // An idle body lost its place, and goes on.
    if (!this.enter(receiver)) return false;
    const place = this.#active.get(receiver);
    if (place === undefined) return false;
    place.bytes += bytes;
    place.lastAt = this.#now();
    place.lastTurn = this.#turn;
    if (place.bytes >= share && this.#waiting.size > 0) {
      this.#active.delete(receiver);
      this.#waiting.add(receiver);
      return false;
    }
    if (this.#bytesInTurn < (this.#waiting.size > 0 ? mostInTurnOfMany : mostInTurn)) return true;
    this.#paused.add(receiver);
    return false;
  }

  /** Gives a body's place to another one. */
  leave(receiver: Receiver): void {
    this.#waiting.delete(receiver);
    this.#paused.delete(receiver);
    if (this.#active.delete(receiver) && this.#waiting.size > 0) this.#planTurn();
  }

  #hold(): void {
    if (this.#isTurnOfBodies) return;
    this.#held ??= 0;
    for (const receiver of this.#active.keys()) {
      if (this.#paused.has(receiver)) continue;
      this.#paused.add(receiver);
      receiver.pause();
    }
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(this.#beginTurn);
  }

  readonly #beginTurn = (): void => {
    this.#isTurnPlanned = false;
    this.#turn++;
    const now = this.#now();
    const hasAccepted = this.#hasAccepted;
    this.#hasAccepted = false;
    this.#bytesInTurn = 0;
    this.#isTurnOfBodies = false;
    if (this.#held !== undefined) {
      if (hasAccepted && this.#held++ < longestHold) {
        this.#planTurn();
        return;
      }
      this.#isTurnOfBodies = hasAccepted;
      this.#held = undefined;
    }
    const paused = this.#paused;
    this.#paused = new Set();
    for (const receiver of paused) receiver.resume();
    this.#admit(now);
    if (this.#isTurnOfBodies) this.#planTurn();
    else if (this.#waiting.size > 0) this.#lookLater();
  };

  /** Lets waiting bodies in, in place of idle ones too. */
  #admit(now: number): void {
    for (const receiver of this.#waiting) {
      if (this.#active.size >= mostActive) this.#dropIdle(now);
      if (this.#active.size >= mostActive) return;
      this.#waiting.delete(receiver);
      this.#active.set(receiver, { bytes: 0, lastAt: now, lastTurn: this.#turn });
      receiver.resume();
    }
  }

  #dropIdle(now: number): void {
    for (const [receiver, { lastAt, lastTurn }] of this.#active) {
      if (now - lastAt < idleTime || this.#turn - lastTurn < idleTurns) continue;
      if (!this.#paused.has(receiver)) this.#active.delete(receiver);
    }
  }

  /** Looks for idle bodies while others wait for their places. */
  #lookLater(): void {
    if (this.#isLookPlanned) return;
    this.#isLookPlanned = true;
    setTimeout(() => {
      this.#isLookPlanned = false;
      this.#planTurn();
    }, idleTime);
  }
}

/** The receivers that wait to give a connection to `node:http`, which receives the body then. */
export const queuedConnections: WeakMap<object, Receiver> = new WeakMap();

/** The turns of this thread's event loop. */
export const receivingTurns: ReceivingTurns = new ReceivingTurns();
