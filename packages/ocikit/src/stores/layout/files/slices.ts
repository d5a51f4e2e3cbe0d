// Long work in short slices, so that the event loop stays free for requests.
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Less than 5 ms, because collecting the garbage of a slice takes time as well. */
const sliceMilliseconds = 3;
const pieceSize = 64 * 1024;

/** Bounds long work: it blocks the event loop for one slice at a time. */
export class TimeSlice {
  readonly #now: () => number;
  #since: number;

  /** @param now milliseconds, from a monotonic clock */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  /** True if this slice's time is used up. */
  get isOver(): boolean {
    return this.#now() - this.#since >= sliceMilliseconds;
  }

  /** Resolves after waiting timers and sockets have had their turn. */
  async giveWay(): Promise<void> {
    await nextTurn();
    this.#since = this.#now();
  }
}

/**
 * The bytes of many short texts, in pieces of about 64 KiB, in slices. Joining 100,000 lines of an index in one piece
 * would block every request for 150 ms.
 *
 * @param texts read one at a time; at an empty text the generator may pause
 */
export async function* inSlices(
  texts: Iterable<string>,
  encode: (text: string) => Buffer = (text) => Buffer.from(text),
): AsyncGenerator<Buffer, void, undefined> {
  const slice = new TimeSlice();
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length >= pieceSize) {
      yield encode(piece);
      piece = '';
    }
    if (slice.isOver) await slice.giveWay();
  }
  if (piece !== '') yield encode(piece);
}
