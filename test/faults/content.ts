// Small content for the fault tests.
import { createHash, randomBytes } from 'node:crypto';

export type Digest = `sha256:${string}`;

export interface Content {
  readonly digest: Digest;
  readonly bytes: Buffer;
}

export interface Manifest extends Content {
  readonly mediaType: string;
}

export const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const emptyType = 'application/vnd.oci.empty.v1+json';

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

export function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

export function contentOf(bytes: Buffer): Content {
  return { digest: digestOf(bytes), bytes };
}

/** New random bytes. */
export function newBlob(size: number): Content {
  return contentOf(randomBytes(size));
}

/** A configuration that no other image has. */
export function newConfig(): Content {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    author: randomBytes(8).toString('hex'),
    config: {},
    rootfs: { type: 'layers', diff_ids: [] as string[] },
  };
  return contentOf(Buffer.from(JSON.stringify(config)));
}

/** A manifest of content that the registry has already. */
export function manifestOf(
  config: Content,
  layers: readonly Content[],
  options: { subject?: Manifest; annotation?: string } = {},
): Manifest {
  const { subject, annotation } = options;
  const document = {
    schemaVersion: 2,
    mediaType: manifestType,
    ...(subject === undefined ? {} : { artifactType: 'application/vnd.test.signature' }),
    config: descriptorOf(config, 'application/vnd.oci.image.config.v1+json'),
    layers: layers.map((layer) => descriptorOf(layer, 'application/vnd.oci.image.layer.v1.tar')),
    ...(subject === undefined ? {} : { subject: descriptorOf(subject, subject.mediaType) }),
    ...(annotation === undefined ? {} : { annotations: { note: annotation } }),
  };
  return { ...contentOf(Buffer.from(JSON.stringify(document))), mediaType: manifestType };
}

export const emptyConfig: Content = contentOf(Buffer.from('{}'));

/** A manifest that refers only to {@link emptyConfig}. */
export function newManifest(note: string = randomBytes(8).toString('hex')): Manifest {
  const document = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: 'application/vnd.test',
    config: descriptorOf(emptyConfig, emptyType),
    layers: [descriptorOf(emptyConfig, emptyType)],
    annotations: { note },
  };
  return { ...contentOf(Buffer.from(JSON.stringify(document))), mediaType: manifestType };
}

function descriptorOf({ digest, bytes }: Content, mediaType: string): Record<string, unknown> {
  return { mediaType, digest, size: bytes.length };
}
