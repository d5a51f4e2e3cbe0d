// Content for measurements: blobs, manifests and images, the same in every run.
import { createHash, hash } from 'node:crypto';

export const imageManifestType = 'application/vnd.oci.image.manifest.v1+json';
export const imageIndexType = 'application/vnd.oci.image.index.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const layerType = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** Bytes to push, and their digest. */
export interface Content {
  readonly digest: string;
  readonly bytes: Buffer;
}

export interface Image {
  readonly config: Content;
  readonly layer: Content;
  readonly manifest: Content;
}

export function content(bytes: Buffer): Content {
  return { digest: digestOf(bytes), bytes };
}

export function digestOf(bytes: Uint8Array | string): string {
  return `sha256:${hash('sha256', bytes)}`;
}

/** Bytes that no compression makes smaller, the same in every run: a linear congruential generator's high bytes. */
export function noise(size: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  let state = seed >>> 0;
  for (let i = 0; i < size; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Makes many blobs of one size that differ in their number. Each call uses the same buffer again. */
export function numberedBlobs(size: number, seed: number): (number: number) => Content {
  const bytes = noise(size, seed);
  return (number) => {
    bytes.writeUInt32BE(number, 0);
    return content(bytes);
  };
}

/** A manifest with layers that were pushed before. */
export function layersManifest(config: Content, layers: readonly { digest: string; size: number }[]): Content {
  return jsonContent({
    schemaVersion: 2,
    mediaType: imageManifestType,
    config: { mediaType: configType, digest: config.digest, size: config.bytes.length },
    layers: layers.map(({ digest, size }) => ({ mediaType: layerType, digest, size })),
  });
}

/** A manifest with one layer. Manifests with different numbers have different digests only. */
export function imageManifest(config: Content, layer: Content, number: number): Content {
  return jsonContent({
    schemaVersion: 2,
    mediaType: imageManifestType,
    config: { mediaType: configType, digest: config.digest, size: config.bytes.length },
    layers: [{ mediaType: layerType, digest: layer.digest, size: layer.bytes.length }],
    annotations: { 'org.example.number': String(number).padStart(8, '0') },
  });
}

const layerNoise = noise(4096, 2);
const configPadding = noise(400, 3).toString('hex');

/** A small image: a config of 1 KiB and a layer of 4 KiB. */
export function smallImage(number: number): Image {
  const config = content(configBytes(number));
  const bytes = Buffer.from(layerNoise);
  bytes.writeUInt32BE(number, 0);
  const layer = content(bytes);
  return { config, layer, manifest: imageManifest(config, layer, number) };
}

function configBytes(number: number): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { Labels: { number: String(number).padStart(8, '0'), padding: configPadding } },
      rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
    }),
  );
}

/** An artifact that refers to `subject`. */
export function referrer(config: Content, layer: Content, subject: Content, number: number): Content {
  return jsonContent({
    schemaVersion: 2,
    mediaType: imageManifestType,
    artifactType: 'application/vnd.example.signature',
    config: { mediaType: configType, digest: config.digest, size: config.bytes.length },
    layers: [{ mediaType: layerType, digest: layer.digest, size: layer.bytes.length }],
    subject: { mediaType: imageManifestType, digest: subject.digest, size: subject.bytes.length },
    annotations: { 'org.example.number': String(number).padStart(8, '0') },
  });
}

/** `tag-00000042`: in byte order as in order of number. */
export function tagName(number: number): string {
  return `tag-${String(number).padStart(8, '0')}`;
}

function jsonContent(value: unknown): Content {
  return content(Buffer.from(JSON.stringify(value)));
}

/** A large blob repeats this piece. */
export function largePiece(seed = 5): Buffer {
  return noise(1024 * 1024, seed);
}

export function largeDigest(size: number, seed?: number): string {
  const sum = createHash('sha256');
  const piece = largePiece(seed);
  for (let left = size; left > 0; left -= piece.length)
    sum.update(left >= piece.length ? piece : piece.subarray(0, left));
  return `sha256:${sum.digest('hex')}`;
}
