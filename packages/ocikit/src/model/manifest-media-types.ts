// The media types of manifests, apart from the parser: a web page that only sends them need not load it.
import { mediaTypes } from './media-types.ts';

/** The kind of manifest that each media type stands for. */
export const kindOfMediaType: ReadonlyMap<string, 'image' | 'index' | 'artifact'> = new Map([
  [mediaTypes.imageManifest, 'image'],
  [mediaTypes.dockerManifest, 'image'],
  [mediaTypes.imageIndex, 'index'],
  [mediaTypes.dockerManifestList, 'index'],
  [mediaTypes.artifactManifest, 'artifact'],
]);

/** The media types that `parseManifest` accepts. */
export const manifestMediaTypes: readonly string[] = [...kindOfMediaType.keys()];
