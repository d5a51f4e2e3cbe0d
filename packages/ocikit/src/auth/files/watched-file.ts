// A file whose changes apply within a second, and whose faulty changes do not apply at all.
import { realpath, stat } from 'node:fs/promises';

import { isMissing, openRegular } from '../../stores/disk/index.ts';

/** Options of {@link watchFile}. */
export interface WatchFileOptions<Value> {
  /** Milliseconds between two looks at the file. A change applies after two. Default: 250 */
  interval?: number | undefined;
  /** The text that stands for a missing file. Default: a missing file is a fault */
  whenMissing?: string | undefined;
  /** Called with each new value, after the first. */
  onChange?: ((value: Value) => void) | undefined;
  /** Called if a change cannot be used. The value stays. Each fault is reported once. Default: ignored */
  onError?: ((error: Error) => void) | undefined;
}

/** A file as a value. */
export interface WatchedFile<Value> {
  /** The value of the last content that could be used. */
  readonly value: Value;
  /**
   * Reads the file now, for example at SIGHUP. A fault is reported to `onError`.
   *
   * @returns false if the file cannot be used, so that the value stays
   */
  reload(): Promise<boolean>;
  /** Ends the watch. */
  close(): void;
}

/** Bytes. */
const largestFile = 16 * 1024 * 1024;

/**
 * Watches a file and parses its text. It looks at the real path, the inode, the times and the size again and again:
 * `fs.watch` misses all but the first change of a file that Kubernetes mounts, and changes on a network file system.
 *
 * @example
 * const rules = await watchFile('access.json', (text) => accessRules(JSON.parse(text)), { onError: console.error });
 * process.on('SIGHUP', () => void rules.reload());
 * rules.value.decide(identity, 'pull', 'team/app');
 * @param parse throws if the text cannot be used
 * @throws Error if the file cannot be used at first
 */
export async function watchFile<Value>(
  path: string,
  parse: (text: string) => Value | Promise<Value>,
  options: WatchFileOptions<Value> = {},
): Promise<WatchedFile<Value>> {
  const { value, state } = await load(path, parse, options.whenMissing);
  return new Watch(path, parse, options, value, state);
}

class Watch<Value> implements WatchedFile<Value> {
  readonly #path: string;
  readonly #parse: (text: string) => Value | Promise<Value>;
  readonly #options: WatchFileOptions<Value>;
  readonly #interval: number;
  #value: Value;
  /** The state of the file that was read last, with or without success. */
  #state: string;
  /** The state at the last look. */
  #seen: string;
  #reported: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;
  /** Loads run one after another, so that an older content never replaces a newer one. */
  #loading: Promise<boolean> = Promise.resolve(true);

  constructor(
    path: string,
    parse: (text: string) => Value | Promise<Value>,
    options: WatchFileOptions<Value>,
    value: Value,
    state: string,
  ) {
    this.#path = path;
    this.#parse = parse;
    this.#options = options;
    this.#interval = options.interval ?? 250;
    this.#value = value;
    this.#state = state;
    this.#seen = state;
    this.#plan();
  }

  get value(): Value {
    return this.#value;
  }

  reload(): Promise<boolean> {
    this.#loading = this.#loading.then(() => this.#load());
    return this.#loading;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #plan(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      void this.#look().then(() => this.#plan());
    }, this.#interval);
    // A program that has nothing else to do may end.
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const state = await stateOf(this.#path).catch(errorText);
    const isSettled = state === this.#seen;
    this.#seen = state;
    // A file that changes between two looks is still being written.
    if (isSettled && state !== this.#state) await this.reload();
  }

  async #load(): Promise<boolean> {
    if (this.#isClosed) return false;
    try {
      const { value, state } = await load(this.#path, this.#parse, this.#options.whenMissing);
      this.#state = state;
      this.#reported = undefined;
      this.#value = value;
      this.#options.onChange?.(value);
      return true;
    } catch (error) {
      // Look at the file again only when it has changed once more.
      this.#state = await stateOf(this.#path).catch(errorText);
      this.#report(error);
      return false;
    }
  }

  #report(cause: unknown): void {
    const text = errorText(cause);
    if (text === this.#reported) return;
    this.#reported = text;
    this.#options.onError?.(new Error(`${this.#path} is not used, and its earlier content stays: ${text}`, { cause }));
  }
}

async function load<Value>(
  path: string,
  parse: (text: string) => Value | Promise<Value>,
  whenMissing: string | undefined,
): Promise<{ value: Value; state: string }> {
  // The state from before reading: a change during it is seen at the next look.
  const state = await stateOf(path).catch((error: unknown) => {
    if (whenMissing === undefined || !isMissing(error)) throw error;
    return errorText(error);
  });
  if (whenMissing !== undefined && !state.includes('\n')) return { value: await parse(whenMissing), state };
  const handle = await openRegular(path);
  try {
    const { size } = await handle.stat();
    if (size > largestFile) throw new Error(`${path} has ${size} bytes, and at most ${largestFile} are read`);
    return { value: await parse(await handle.readFile('utf8')), state };
  } finally {
    await handle.close();
  }
}

async function stateOf(path: string): Promise<string> {
  const real = await realpath(path);
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(real, { bigint: true });
  return [real, dev, ino, size, mtimeNs, ctimeNs].join('\n');
}

function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
