// The media types of Docker's manifests of schema version 1.

/** The media types of Docker's manifests before version 2: no longer made, still found in registries. */
export const schema1MediaTypes = {
  unsigned: 'application/vnd.docker.distribution.manifest.v1+json',
  /** In an envelope of signatures; the digest is computed without the envelope. */
  signed: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
} as const;
