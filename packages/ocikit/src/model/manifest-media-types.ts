import { mediaTypes } from './media-types.ts';

/** Apart from what parses them, which a page that only asks for them need not have. */
export const kindOfMediaType: ReadonlyMap<string, 'image' | 'index' | 'artifact'> = new Map([
  [mediaTypes.imageManifest, 'image'],
  [mediaTypes.dockerManifest, 'image'],
  [mediaTypes.imageIndex, 'index'],
  [mediaTypes.dockerManifestList, 'index'],
  [mediaTypes.artifactManifest, 'artifact'],
]);

/** The media types that `parseManifest` understands. */
export const manifestMediaTypes: readonly string[] = [...kindOfMediaType.keys()];
