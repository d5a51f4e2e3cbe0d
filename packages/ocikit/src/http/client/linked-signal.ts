import { deadline } from './retry.ts';

/** A signal that follows another one, and can be aborted by itself. */
export interface LinkedSignal {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** The other one does not know it any more. */
  unlink(): void;
}

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
