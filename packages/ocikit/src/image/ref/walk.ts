// Visits an image or an index, and all manifests below it.
import { isManifestMediaType, RegistryError } from '../../model/index.ts';
import type { CallOptions, Descriptor, Digest } from '../../model/index.ts';

import type { Ref } from './ref.ts';

/** Options of {@link walk}. */
export interface WalkOptions extends CallOptions {
  /** How many indexes may be nested; deeper ones are MANIFEST_INVALID. Default: 8. */
  depth?: number | undefined;
}

/**
 * * Yields an image or index and all images and indexes below it: children before parents, in the order of the
 * entries, each digest once. Manifests that are stored in this order never name a missing manifest. Each one is
 * fetched when its turn comes, and not kept. Entries that are blobs are left out: `Index.blobs` lists them.
 *
 * Rejects like `Index.child`, also if an entry is a manifest of another kind, and with MANIFEST_INVALID if indexes
 * are nested too deeply.
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
      if (!isManifestMediaType(entry.mediaType)) continue;
      const known = seen.get(entry.digest);
      if (known !== undefined) {
        assertSame(entry, known);
        continue;
      }
      if (depth <= 0) {
        throw new RegistryError(
          'MANIFEST_INVALID',
          `the index ${ref.descriptor.digest} is nested more deeply than options.depth allows`,
        );
      }
      seen.set(entry.digest, entry);
      yield* visit(await ref.child(entry, call), depth - 1, seen, call);
    }
  }
  call.signal?.throwIfAborted();
  yield ref;
}

/** Two entries of the same digest must agree: content that was verified with one size and type has no other. */
function assertSame(entry: Descriptor, known: Descriptor): void {
  if (entry.mediaType === known.mediaType && entry.size === known.size) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `two entries of ${entry.digest} disagree: ${entry.size} bytes of ${entry.mediaType}, and ` +
      `${known.size} bytes of ${known.mediaType}`,
  );
}
