// The options that every call of a registry takes, and those of every list.
import type { OnTransferEvent } from './events.ts';
import type { Identity } from './identity.ts';

/** Options of every call of a registry. */
export interface CallOptions {
  /** Ends the call when it is aborted, also in the middle of a body. The call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called with each event of a transfer: started, bytes moved, retried, done, … */
  onEvent?: OnTransferEvent | undefined;
  /** The caller and the request that this call is made for. */
  context?: CallContext | undefined;
}

/** The caller and the request that a call is made for. */
export interface CallContext {
  /** The authenticated caller. Default: the caller is not known. */
  identity?: Identity | undefined;
  /** An id that connects the log lines of one request. */
  requestId?: string | undefined;
  /** The registry host that the client meant. Distribution specification, "Registry Proxying", parameter `ns`. */
  namespace?: string | undefined;
}

/** Options of every list of a registry. */
export interface ListOptions extends CallOptions {
  /** Only entries strictly after this one, in byte order. It need not exist. Default: from the first entry. */
  startAfter?: string | undefined;
  /** At most this many entries in total (not per page); 0: none. Default: all. */
  limit?: number | undefined;
}
