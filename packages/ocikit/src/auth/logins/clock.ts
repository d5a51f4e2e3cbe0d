// The time, so that tests need not wait.

/** A source of time. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls a function after this many milliseconds, unless the returned function is called before. */
  after(milliseconds: number, call: () => void): () => void;
}

/** The clock of the runtime. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, call) {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};
