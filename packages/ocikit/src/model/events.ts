// The events that report how content moves.
import type { Digest } from './digest.ts';

interface TransferSubject {
  /** The repository that the content is moved to or read from. */
  repository: string;
  /** The digest of the content, if it is known. */
  digest?: Digest | undefined;
  /** Bytes of the whole content, as early as it is known. */
  size?: number | undefined;
}

/**
 * One step in the transfer of content. Progress bars, logs, metrics and tests all read these events.
 *
 * | type | meaning |
 * |---|---|
 * | planned | the content will be needed in the repository |
 * | existing | the repository has the content already; nothing is sent |
 * | mounted | another repository has the content, and it was mounted; nothing is sent |
 * | started | the content's bytes start to move |
 * | bytes | `transferred` bytes have moved so far |
 * | retried | attempt number `attempt` failed with `error`; the next one starts in `delay` milliseconds |
 * | resumed | the transfer resumes at byte `at` |
 * | verified | digest and size are correct |
 * | done | the content is stored, or has been read to its end |
 *
 * @example
 * await registry.pushBlob('team/app', { digest, size }, source, {
 *   onEvent(event) {
 *     if (event.type === 'bytes') console.log(`${event.transferred} of ${event.size} bytes`);
 *   },
 * });
 */
export type TransferEvent =
  | (TransferSubject & { type: 'planned' | 'existing' | 'started' | 'verified' | 'done' })
  | (TransferSubject & { type: 'mounted'; from: string | undefined })
  | (TransferSubject & { type: 'bytes'; transferred: number })
  | (TransferSubject & { type: 'retried'; attempt: number; delay: number; error: unknown })
  | (TransferSubject & { type: 'resumed'; at: number });

/** Receives the events of a transfer, synchronously. An error that it throws ends the transfer. */
export type OnTransferEvent = (event: TransferEvent) => void;
