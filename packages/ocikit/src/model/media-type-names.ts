// Image specification, "Media Types". Apart from one another, so that a bundle holds those that it uses.
export const imageManifest = 'application/vnd.oci.image.manifest.v1+json';
export const imageIndex = 'application/vnd.oci.image.index.v1+json';
export const imageConfig = 'application/vnd.oci.image.config.v1+json';
export const layer = 'application/vnd.oci.image.layer.v1.tar';
export const layerGzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
export const layerZstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
/** The content of {@link emptyJson}: a config or layer that says nothing. */
export const empty = 'application/vnd.oci.empty.v1+json';
/** Of image specification 1.1's release candidates; no longer made, still found in registries. */
export const artifactManifest = 'application/vnd.oci.artifact.manifest.v1+json';
export const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
export const dockerManifestList = 'application/vnd.docker.distribution.manifest.list.v2+json';
export const dockerConfig = 'application/vnd.docker.container.image.v1+json';
export const dockerLayer = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
export const octetStream = 'application/octet-stream';
