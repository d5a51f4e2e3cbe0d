/** The media types of manifests and of what they name. Image specification, "Media Types". */
export const mediaTypes = {
  imageManifest: 'application/vnd.oci.image.manifest.v1+json',
  imageIndex: 'application/vnd.oci.image.index.v1+json',
  imageConfig: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  /** The content of {@link emptyJson}: a config or layer that says nothing. */
  empty: 'application/vnd.oci.empty.v1+json',
  /** Of image specification 1.1's release candidates; no longer made, still found in registries. */
  artifactManifest: 'application/vnd.oci.artifact.manifest.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerManifestList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  octetStream: 'application/octet-stream',
} as const;

const nameChars = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}';

/** The grammar of a media type without parameters. RFC 6838, section 4.2. */
export const mediaTypePattern: RegExp = new RegExp(`^${nameChars}/${nameChars}$`);

/** A `Content-Type` without its parameters, in lower case; undefined if it is not a media type. */
export function parseMediaType(text: string): string | undefined {
  const semicolon = text.indexOf(';');
  const bare = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  return mediaTypePattern.test(bare) ? bare : undefined;
}
