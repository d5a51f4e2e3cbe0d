// A view that writes a line for each step of each call.
import type { Registry } from '../model/index.ts';

import { kindOf, observe, redacted } from './shared/index.ts';
import type { ObservedCall, ObservedResult } from './shared/index.ts';

/** A step of a call. */
export interface DebugEntry {
  /** The number of the call in this view, from 1. */
  readonly number: number;
  /** `opened`: a blob can be read. Its `end` follows when it has been read. */
  readonly step: 'begin' | 'opened' | 'end';
  /** The call and its arguments. */
  readonly call: ObservedCall;
  /** Milliseconds since the call began. */
  readonly duration: number;
  /** The outcome, at an `end` or `opened` without an error. */
  readonly result?: ObservedResult | undefined;
  /** The code of a {@link RegistryError} or the name of another error, and the message without secrets. */
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

/** Takes the lines. Its errors are ignored: an observer must not change the outcome of a call. */
export type DebugSink = (line: string, entry: DebugEntry) => void;

/** How {@link debug} writes. */
export interface DebugOptions {
  /** Characters of the longest line. Default: 500. */
  lineLength?: number | undefined;
}

/**
 * The unchanged registry. It writes a line when a call begins and ends: the caller, the arguments, the duration, sizes,
 * digests, and the error. A list and the reading of a blob end when the reader has read all or stopped.
 *
 * Lines have a bounded length, no content and no secrets: URLs stand without query and user name, uploads have a number
 * in place of their id.
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

/** Callers choose names freely: a list of tags may be very long, and a name may contain line breaks. */
function word(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  const text =
    typeof value === 'string' ? value : Array.isArray(value) ? value.slice(0, 20).join(',') : JSON.stringify(value);
  const short = text.length > 300 ? `${text.slice(0, 299)}…` : text;
  return /^[\x21\x23-\x7e…]*$/.test(short) && short !== '' ? short : JSON.stringify(short);
}
