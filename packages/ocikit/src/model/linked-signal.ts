/** The key under which a signal says when it will be aborted, in milliseconds since 1970. */
export const deadline: unique symbol = Symbol.for('ocikit.deadline');

/** A signal that follows another one, and can be aborted by itself. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** The other one does not know it any more. */
  unlink(): void;
}

/**
 * Not `AbortSignal.any`: what that makes is forgotten only when it is collected, and this is for signals that live long.
 *
 * @param signal what it follows, with all that is known of its deadline
 */
export function linkSignal(signal: (AbortSignal & { [deadline]?: number }) | undefined): LinkedSignal {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  const end = signal?.[deadline];
  return {
    signal: end === undefined ? controller.signal : Object.assign(controller.signal, { [deadline]: end }),
    abort: (reason) => controller.abort(reason),
    unlink: () => signal?.removeEventListener('abort', onAbort),
  };
}
