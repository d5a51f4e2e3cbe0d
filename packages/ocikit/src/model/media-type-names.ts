// The names of media types. They are separate exports, so that a bundle contains only those that it uses.

/** An image manifest. Image specification, "Media Types". */
export const imageManifest = 'application/vnd.oci.image.manifest.v1+json';
/** An image index: manifests of one image for several platforms. */
export const imageIndex = 'application/vnd.oci.image.index.v1+json';
/** The configuration of an image. */
export const imageConfig = 'application/vnd.oci.image.config.v1+json';
/** A layer: an uncompressed tar archive. */
export const layer = 'application/vnd.oci.image.layer.v1.tar';
/** A layer compressed with gzip. */
export const layerGzip = 'application/vnd.oci.image.layer.v1.tar+gzip';
/** A layer compressed with Zstandard. */
export const layerZstd = 'application/vnd.oci.image.layer.v1.tar+zstd';
/** The empty JSON object `{}`, where a manifest needs a config or layer but has nothing to say. */
export const empty = 'application/vnd.oci.empty.v1+json';
/** The artifact manifest of image specification 1.1's release candidates. Still found in registries. */
export const artifactManifest = 'application/vnd.oci.artifact.manifest.v1+json';
/** Docker's image manifest, version 2, schema 2. */
export const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
/** Docker's manifest list, its form of an image index. */
export const dockerManifestList = 'application/vnd.docker.distribution.manifest.list.v2+json';
/** The configuration of a Docker image. */
export const dockerConfig = 'application/vnd.docker.container.image.v1+json';
/** A layer of a Docker image, compressed with gzip. */
export const dockerLayer = 'application/vnd.docker.image.rootfs.diff.tar.gzip';
/** Bytes of unknown type. */
export const octetStream = 'application/octet-stream';
