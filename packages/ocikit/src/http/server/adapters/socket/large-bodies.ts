// The memory of large answers that wait for their clients: equal ones share it, and it is bounded.
/** Bytes of all large bodies in memory that are being sent. */
const most = 128 * 1024 * 1024;
/** Milliseconds without a byte after which a client loses its connection if another one needs the memory. */
const mostStalled = 2000;

/** The sending of one body. */
export interface Sending {
  /** The bytes to send: those of an equal body that is being sent, or the own ones. */
  readonly bytes: Uint8Array;
  /** Call it whenever the client has taken bytes. */
  progress(): void;
  /** Gives the memory back. */
  end(): void;
}

interface Sender {
  /** Milliseconds of a monotonic clock. */
  lastProgress: number;
  cut: () => void;
}

/**
 * The large bodies in memory that are being sent. The store has copied each for its request, and a client that reads
 * nothing keeps its body in memory. So 1,000 clients that ask for one manifest of 4 MiB would take 4 GB.
 */
export class LargeBodies {
  readonly #most: number;
  readonly #now: () => number;
  readonly #senders = new Map<Uint8Array, Set<Sender>>();
  #used = 0;

  /**
   * @param limit in bytes
   * @param now milliseconds, from a monotonic clock
   */
  constructor(limit: number = most, now: () => number = () => performance.now()) {
    this.#most = limit;
    this.#now = now;
  }

  /** Bytes that are in use. */
  get used(): number {
    return this.#used;
  }

  /**
   * Begins to send a body.
   *
   * @param cut ends the connection
   * @returns undefined if there is no memory for it: do not keep it
   */
  begin(own: Uint8Array, cut: () => void): Sending | undefined {
    const bytes = this.#equalTo(own) ?? own;
    const isNew = !this.#senders.has(bytes);
    if (isNew && !this.#makeRoom(bytes.length)) return undefined;
    if (isNew) {
      this.#senders.set(bytes, new Set());
      this.#used += bytes.length;
    }
    const sender: Sender = { lastProgress: this.#now(), cut };
    this.#senders.get(bytes)?.add(sender);
    return {
      bytes,
      progress: () => {
        sender.lastProgress = this.#now();
      },
      end: () => this.#end(bytes, sender),
    };
  }

  /** Comparing 4 MiB takes less than copying them. Different bodies differ soon. */
  #equalTo(own: Uint8Array): Uint8Array | undefined {
    for (const bytes of this.#senders.keys()) {
      if (bytes.length === own.length && Buffer.compare(bytes, own) === 0) return bytes;
    }
    return undefined;
  }

  /** Cuts stalled clients, as many as it takes. The first body always has room. */
  #makeRoom(size: number): boolean {
    const hasRoom = (): boolean => this.#used === 0 || this.#used + size <= this.#most;
    if (hasRoom()) return true;
    const latest = this.#now() - mostStalled;
    for (const [bytes, senders] of this.#senders) {
      if ([...senders].some(({ lastProgress }) => lastProgress > latest)) continue;
      for (const sender of senders) {
        this.#end(bytes, sender);
        sender.cut();
      }
      if (hasRoom()) return true;
    }
    return false;
  }

  #end(bytes: Uint8Array, sender: Sender): void {
    const senders = this.#senders.get(bytes);
    if (senders?.delete(sender) !== true || senders.size > 0) return;
    this.#senders.delete(bytes);
    this.#used -= bytes.length;
  }
}
