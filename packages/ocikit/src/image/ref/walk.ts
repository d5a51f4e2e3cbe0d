import { RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../model/index.ts';

import type { Ref } from './ref.ts';

export interface WalkOptions extends CallOptions {
  /** How many indexes deep an image may lie; what lies deeper is MANIFEST_INVALID. Default: 8. */
  depth?: number | undefined;
}

/**
 * An image or index and all that it reaches: depth first, in the order of the entries, children before parents, each digest once. So
 * whatever is stored in this order never names what is not there yet. Each is fetched when it is its turn, and forgotten.
 *
 * Rejects as `Index.child` does: with what is no image and no index as well.
 *
 * @example
 * for await (const ref of walk(await pull(registry, 'library/alpine', { tag: 'latest' }))) {
 *   console.log(ref.kind, ref.descriptor.digest);
 * }
 */
export async function* walk(ref: Ref, options: WalkOptions = {}): AsyncGenerator<Ref, void, undefined> {
  const { depth = 8, ...call } = options;
  call.signal?.throwIfAborted();
  yield* visit(ref, depth, new Map([[ref.descriptor.digest, ref.descriptor]]), call);
}

async function* visit(
  ref: Ref,
  depth: number,
  seen: Map<Digest, Descriptor>,
  call: CallOptions,
): AsyncGenerator<Ref, void, undefined> {
  if (ref.kind === 'index') {
    for (const entry of ref.manifests) {
      const known = seen.get(entry.digest);
      if (known !== undefined) {
        assertSame(entry, known);
        continue;
      }
      if (depth <= 0) {
        throw new RegistryError(
          'MANIFEST_INVALID',
          `${ref.descriptor.digest} lies in too many indexes to have entries`,
        );
      }
      seen.set(entry.digest, entry);
      yield* visit(await ref.child(entry, call), depth - 1, seen, call);
    }
  }
  call.signal?.throwIfAborted();
  yield ref;
}

/** What was verified as one thing cannot be another as well. */
function assertSame(entry: Descriptor, known: Descriptor): void {
  if (entry.mediaType === known.mediaType && entry.size === known.size) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `${entry.digest} is announced as ${entry.size} bytes of ${entry.mediaType}, and as ${known.size} of ${known.mediaType}`,
  );
}
