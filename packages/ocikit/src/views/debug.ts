import type { Registry } from '../model/index.ts';

import { kindOf, observe, redacted } from './shared/index.ts';
import type { ObservedCall, ObservedResult } from './shared/index.ts';

/** A step of a call. */
export interface DebugEntry {
  /** Counts the calls of this view, from 1. */
  readonly number: number;
  /** `opened`: a blob can be read; its `end` comes when it has been. */
  readonly step: 'begin' | 'opened' | 'end';
  readonly call: ObservedCall;
  /** Milliseconds since the call began. */
  readonly duration: number;
  readonly result?: ObservedResult | undefined;
  /** The code of a {@link RegistryError}, or the name of another error; without secrets. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Where the lines go. What it throws is ignored: whoever watches a call must not change what comes of it. */
export type DebugSink = (line: string, entry: DebugEntry) => void;

export interface DebugOptions {
  /** The longest line, in characters. Default: 500. */
  lineLength?: number | undefined;
}

/**
 * The registry as it is; of every call it says when it begins and when it ends: who asked for what, how long it took, sizes,
 * digests, and what it failed with. A list ends when it has been read or left, the reading of a blob as well.
 *
 * Lines are of bounded length and hold no contents and no secrets: of URLs neither queries nor user names, of uploads a number
 * in place of the id.
 *
 * @example
 * const watched = debug(registry, (line) => process.stderr.write(`${line}\n`));
 */
export function debug(registry: Registry, sink: DebugSink, options: DebugOptions = {}): Registry {
  const { lineLength = 500 } = options;
  let calls = 0;
  return observe(registry, (call) => {
    const number = ++calls;
    const began = performance.now();
    let hasEnded = false;
    const tell = (step: DebugEntry['step'], told: Pick<DebugEntry, 'result' | 'error'> = {}): void => {
      if (hasEnded) return;
      hasEnded = step === 'end';
      const duration = step === 'begin' ? 0 : performance.now() - began;
      const entry: DebugEntry = { number, step, call, duration, ...told };
      try {
        sink(lineOf(entry, lineLength), entry);
      } catch {
        // See DebugSink.
      }
    };
    tell('begin');
    return {
      run: (run) => run(),
      opened: (result) => tell('opened', { result }),
      ended: (result) => tell('end', { result }),
      failed: (error) =>
        tell('end', { error: { code: kindOf(error), message: redacted(messageOf(error), lineLength) } }),
    };
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `#3 getBlob app sha256:… end after 12 ms: bytes=1024` */
function lineOf({ number, step, call, duration, result, error }: DebugEntry, longest: number): string {
  const { method, repository, ...rest } = call;
  const of = repository === undefined ? '' : ` ${word(repository)}`;
  const head = `#${number} ${method}${of}`;
  if (step === 'begin') return redacted(`${head}${fieldsOf(rest)}`, longest);
  const took = `${step} after ${duration.toFixed(duration < 10 ? 1 : 0)} ms`;
  if (error !== undefined) return redacted(`${head} ${took}: ${error.code}: ${error.message}`, longest);
  const told = fieldsOf(result ?? {});
  return redacted(`${head} ${took}${told === '' ? '' : `:${told}`}`, longest);
}

function fieldsOf(fields: object): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]: [string, unknown]) => ` ${key}=${word(value)}`)
    .join('');
}

/** Names come from callers, and may be anything: a list of tags may be endless, a name a whole line of its own. */
function word(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  const text =
    typeof value === 'string' ? value : Array.isArray(value) ? value.slice(0, 20).join(',') : JSON.stringify(value);
  const short = text.length > 300 ? `${text.slice(0, 299)}…` : text;
  return /^[\x21\x23-\x7e…]*$/.test(short) && short !== '' ? short : JSON.stringify(short);
}
