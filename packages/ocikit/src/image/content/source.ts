import type { BlobContent, CallOptions, Descriptor, GetBlobOptions, Manifest, Reader } from '../../model/index.ts';

/**
 * Where the content of an image or an index comes from. It need not verify anything: whoever reads through a `Ref` does.
 */
export interface ImageSource {
  /** The bytes of a config or layer, or a part of them. Rejects with BLOB_UNKNOWN. */
  openBlob(descriptor: Descriptor, options: GetBlobOptions): Promise<BlobContent>;
  /** A manifest that an index names. Rejects with MANIFEST_UNKNOWN. */
  getManifest(descriptor: Descriptor, options: CallOptions): Promise<Manifest>;
  /** Where an entry of an index and what it names come from; from here if this is left out or gives undefined. */
  sourceOf?(descriptor: Descriptor): ImageSource | undefined;
}

/** What of a registry is needed to read images. */
export type ImageReader = Pick<Reader, 'getBlob' | 'getManifest' | 'getTag'>;

/** The content of one repository: in a registry, in a layout, wherever a {@link Reader} can look. */
export function registrySource(registry: ImageReader, repository: string): ImageSource {
  return {
    openBlob: (descriptor, options) => registry.getBlob(repository, descriptor.digest, options),
    getManifest: (descriptor, options) => registry.getManifest(repository, descriptor.digest, options),
  };
}

/** The same source, asked on behalf of an earlier call as well: its signal ends the later ones too. */
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

/** The options of a call that an earlier one made possible: what it says itself counts, and either signal ends it. */
export function inheritCall<T extends CallOptions>(earlier: CallOptions, options: T): T {
  return {
    ...options,
    onEvent: options.onEvent ?? earlier.onEvent,
    context: options.context ?? earlier.context,
    signal: eitherSignal(earlier.signal, options.signal),
  };
}

/** A signal that is the only one stays itself, with all that it knows of its deadline. */
function eitherSignal(a: AbortSignal | undefined, b: AbortSignal | undefined): AbortSignal | undefined {
  if (a === undefined || a === b) return b;
  return b === undefined ? a : AbortSignal.any([a, b]);
}
