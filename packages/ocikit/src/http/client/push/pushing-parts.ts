// The parts that all pushes to one registry share. Their state is made for the first push: most pages only read.
import type { CallOptions, Descriptor, Digest } from '../../../model/index.ts';
import type { TransferStore } from '../shared/index.ts';
import type { Transport } from '../transport/index.ts';

import { ChunkLimit } from './chunk-limit.ts';
import { UploadPlaces } from './upload-places.ts';

/** The parts that all pushes to one registry share. */
export interface PushingParts {
  /** Sends the requests. */
  transport: Transport;
  /** Bytes of the largest request, as the caller wants it. */
  chunkSize: number;
  /** Keeps notes of unfinished uploads; undefined: they are not noted. */
  transfers: TransferStore | undefined;
  /** Gets the descriptor of a blob. */
  resolve: (repository: string, digest: Digest, call: CallOptions) => Promise<Descriptor>;
  /** The state of pushes; undefined before the first one. See {@link stateOf}. */
  state?: PushingState;
}

/** The state that all pushes to one registry share. */
export interface PushingState {
  /** The places of uploads. */
  places: UploadPlaces;
  /** The largest request. */
  limit: ChunkLimit;
}

/** The state of the pushes to a registry. */
export function stateOf(parts: PushingParts): PushingState {
  parts.state ??= { places: new UploadPlaces(parts.transport.base), limit: new ChunkLimit(parts.chunkSize) };
  return parts.state;
}
