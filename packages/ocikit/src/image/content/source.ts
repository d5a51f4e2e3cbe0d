// The sources of images: where configs, layers and manifests are fetched.
import type { BlobContent, CallOptions, Descriptor, GetBlobOptions, Manifest, Reader } from '../../model/index.ts';

/**
 * A source of configs, layers and manifests. It need not verify them: an `Image` or `Index` verifies what it reads.
 */
export interface ImageSource {
  /** Opens a config or layer, or a range of it. Rejects with BLOB_UNKNOWN. */
  openBlob(descriptor: Descriptor, options: GetBlobOptions): Promise<BlobContent>;
  /** Gets a manifest that an index names. Rejects with MANIFEST_UNKNOWN. */
  getManifest(descriptor: Descriptor, options: CallOptions): Promise<Manifest>;
  /** Gives the source of an index's entry and of all that the entry names. Default, or undefined: this source. */
  sourceOf?(descriptor: Descriptor): ImageSource | undefined;
}

/** The part of a registry that is needed to read images. */
export type ImageReader = Pick<Reader, 'getBlob' | 'getManifest' | 'getTag'>;

/** Makes a source of one repository, in any registry. */
export function registrySource(registry: ImageReader, repository: string): ImageSource {
  return {
    openBlob: (descriptor, options) =>
      registry.getBlob(repository, descriptor.digest, { size: descriptor.size, ...options }),
    getManifest: (descriptor, options) => registry.getManifest(repository, descriptor.digest, options),
  };
}

/** Wraps a source so that an earlier call's options apply to it too: the call's signal also ends later reads. */
export function boundSource(source: ImageSource, call: CallOptions): ImageSource {
  return {
    openBlob: (descriptor, options) => source.openBlob(descriptor, inheritCall(call, options)),
    getManifest: (descriptor, options) => source.getManifest(descriptor, inheritCall(call, options)),
    sourceOf: (descriptor) => {
      const other = source.sourceOf?.(descriptor);
      return other === undefined ? undefined : boundSource(other, call);
    },
  };
}

/** Merges the options of a call with those of an earlier call. Its own options win, and either signal ends it. */
export function inheritCall<T extends CallOptions>(earlier: CallOptions, options: T): T {
  return {
    ...options,
    onEvent: options.onEvent ?? earlier.onEvent,
    context: options.context ?? earlier.context,
    signal: eitherSignal(earlier.signal, options.signal),
  };
}

/** Combines two signals. A single signal is kept as it is, as it may carry a deadline. */
function eitherSignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  if (a === undefined || a === b) return b;
  return b === undefined ? a : AbortSignal.any([a, b]);
}
