import type { Digest } from './digest.ts';

/** What every event tells. */
interface About {
  repository: string;
  digest?: Digest | undefined;
  /** Bytes of the whole content, as early as it is known. */
  size?: number | undefined;
}

/**
 * What happens to content on its way. Progress bars, logs, metrics and tests read this one stream.
 *
 * | type | meaning |
 * |---|---|
 * | planned | it will be needed there |
 * | existing | it is there already, nothing is sent |
 * | mounted | it was there in another repository, nothing is sent |
 * | started | its bytes begin to move |
 * | bytes | `transferred` of its bytes have moved so far |
 * | retried | an attempt failed with `error`; the next one follows in `delay` milliseconds |
 * | resumed | it goes on at byte `at` |
 * | verified | digest and size are what they ought to be |
 * | done | it is stored, or read to its end |
 */
export type TransferEvent =
  | (About & { type: 'planned' | 'existing' | 'started' | 'verified' | 'done' })
  | (About & { type: 'mounted'; from: string | undefined })
  | (About & { type: 'bytes'; transferred: number })
  | (About & { type: 'retried'; attempt: number; delay: number; error: unknown })
  | (About & { type: 'resumed'; at: number });

/** Called synchronously; what it throws ends the operation. */
export type OnTransferEvent = (event: TransferEvent) => void;
