import { setImmediate as nextTurn } from 'node:timers/promises';

/** Short of 5 ms, as what is freed meanwhile has to be collected as well. */
const sliceMilliseconds = 3;
const pieceSize = 64 * 1024;

/** For work that is long and may wait: whatever else runs is held up no longer than a slice of it takes. */
export class TimeSlice {
  readonly #now: () => number;
  #since: number;

  /** @param now milliseconds, by a clock that nobody sets */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  get isOver(): boolean {
    return this.#now() - this.#since >= sliceMilliseconds;
  }

  /** Resolves when everything else that waits has had its turn. */
  async giveWay(): Promise<void> {
    await nextTurn();
    this.#since = this.#now();
  }
}

/**
 * The bytes of many short texts, in pieces of some 64 KiB, in slices. 100,000 lines of an index in one piece would be
 * 150 ms in which nothing is answered.
 *
 * @param texts is asked for one at a time; an empty one is where it may stop for a while
 */
export async function* inSlices(texts: Iterable<string>): AsyncGenerator<Buffer, void, undefined> {
  const slice = new TimeSlice();
  let piece = '';
  for (const text of texts) {
    piece += text;
    if (piece.length >= pieceSize) {
      yield Buffer.from(piece);
      piece = '';
    }
    if (slice.isOver) await slice.giveWay();
  }
  if (piece !== '') yield Buffer.from(piece);
}
