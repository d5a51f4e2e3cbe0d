// Listening to an abort signal, however many calls listen to the same one.

/** The listeners of a signal, and the one event listener that calls them. */
interface Listeners {
  readonly all: Set<() => void>;
  readonly onEvent: () => void;
}

const listenersOf = new WeakMap<AbortSignal, Listeners>();

/**
 * Calls a listener when a signal is aborted. All listeners of one signal share a single event listener: a program may
 * give one signal to a hundred downloads, and Node prints a MaxListenersExceededWarning from the eleventh on.
 *
 * @example
 * const forget = onAbort(signal, () => socket.destroy());
 * await answered;
 * forget();
 * @param listener is called once, without an argument. A signal that is aborted already does not call it
 * @returns a function that removes the listener
 */
export function onAbort(signal: AbortSignal, listener: () => void): () => void {
  const listeners = listenersOf.get(signal) ?? listen(signal);
  // A function of its own: one listener may be added twice, and removed once.
  const call = (): void => listener();
  listeners.all.add(call);
  return () => {
    // Without its event listener, the garbage collector may take a signal that follows others (`AbortSignal.any`).
    if (listeners.all.delete(call) && listeners.all.size === 0) unlisten(signal, listeners);
  };
}

function listen(signal: AbortSignal): Listeners {
  const all = new Set<() => void>();
  const listeners = {
    all,
    onEvent: (): void => {
      unlisten(signal, listeners);
      for (const call of all) call();
    },
  };
  listenersOf.set(signal, listeners);
  signal.addEventListener('abort', listeners.onEvent);
  return listeners;
}

function unlisten(signal: AbortSignal, listeners: Listeners): void {
  signal.removeEventListener('abort', listeners.onEvent);
  if (listenersOf.get(signal) === listeners) listenersOf.delete(signal);
}
