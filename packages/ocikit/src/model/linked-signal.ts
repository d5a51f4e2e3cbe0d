// Abort signals that follow another signal and that can be aborted on their own as well.
import { onAbort } from './on-abort.ts';

/** The key under which a signal says when it will be aborted, in milliseconds since 1970. */
export const deadline: unique symbol = Symbol.for('ocikit.deadline');

/** A signal that follows another one and can also be aborted on its own. */
export interface LinkedSignal {
  /** Aborted when the other signal is, or by `abort`. */
  readonly signal: AbortSignal;
  /** Aborts this signal alone. */
  abort(reason: unknown): void;
  /** Ends the link, so that the other signal no longer holds a reference to this one. */
  unlink(): void;
}

/**
 * Makes a signal that follows another one. `AbortSignal.any` is no alternative: its signals are released only by
 * garbage collection, and the followed signal may live long.
 *
 * @example
 * const linked = linkSignal(options.signal);
 * try {
 *   await run(linked.signal);
 * } finally {
 *   linked.unlink();
 * }
 * @param signal the signal to follow; its deadline is taken over
 */
export function linkSignal(signal: (AbortSignal & { [deadline]?: number }) | undefined): LinkedSignal {
  const controller = new AbortController();
  const follow = (): void => controller.abort(signal?.reason);
  let unlink: (() => void) | undefined;
  if (signal?.aborted === true) follow();
  else if (signal !== undefined) unlink = onAbort(signal, follow);
  const end = signal?.[deadline];
  return {
    signal: end === undefined ? controller.signal : Object.assign(controller.signal, { [deadline]: end }),
    abort: (reason) => controller.abort(reason),
    unlink: () => unlink?.(),
  };
}
