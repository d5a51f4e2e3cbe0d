// What every call takes: its signal, its events, on whose behalf it is made, and where a list begins.
import type { OnTransferEvent } from './events.ts';

export interface CallOptions {
  /** Ends the call, also in the middle of a body. */
  signal?: AbortSignal | undefined;
  /** Is told what happens to content on its way. */
  onEvent?: OnTransferEvent | undefined;
  context?: CallContext | undefined;
}

/** On whose behalf a call is made. */
export interface CallContext {
  /** The name of the authenticated caller. */
  caller?: string | undefined;
  /** Connects the log lines of one request. */
  requestId?: string | undefined;
  /** The host that the client meant: the `ns` parameter, "Registry Proxying". */
  namespace?: string | undefined;
}

export interface ListOptions extends CallOptions {
  /** Only what comes strictly after this, in byte order. It need not exist. */
  startAfter?: string | undefined;
  /** At most so many in all; no page size. 0: none. */
  limit?: number | undefined;
}
