// Images that real clients push and pull: with a layer that can be unpacked.
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { content, imageManifestType, largePiece } from '../content.ts';

/** An image in every form that a client starts with. */
export interface CommandImage {
  /** The tar of the only layer, for `docker import`. */
  readonly tar: string;
  /** An OCI image layout with the image under the tag `image`. */
  readonly layout: string;
  readonly blobs: readonly { readonly file: string; readonly digest: string; readonly size: number }[];
  /** The manifest as text. */
  readonly manifest: string;
}

/** Makes an image with one file of noise. `seed` makes it differ from other images. */
export async function makeCommandImage(directory: string, size: number, seed: number): Promise<CommandImage> {
  const layout = join(directory, 'layout');
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const tar = join(directory, 'layer.tar');
  await pipeline(tarOf(size, seed), createWriteStream(tar));
  const layer = join(directory, 'layer.tar.gz');
  // Do not compress: noise gets no smaller, and all would wait for it.
  await pipeline(createReadStream(tar), createGzip({ level: 0 }), createWriteStream(layer));

  const layerDigest = await digestOfFile(layer);
  const config = content(
    json({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/none'] },
      rootfs: { type: 'layers', diff_ids: [await digestOfFile(tar)] },
    }),
  );
  const layerSize = (await stat(layer)).size;
  const manifest = content(
    json({
      schemaVersion: 2,
      mediaType: imageManifestType,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: config.digest,
        size: config.bytes.length,
      },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layerDigest, size: layerSize }],
    }),
  );
  const pathOf = (digest: string): string => join(blobs, digest.slice('sha256:'.length));
  await link(layer, pathOf(layerDigest));
  await writeFile(pathOf(config.digest), config.bytes);
  await writeFile(pathOf(manifest.digest), manifest.bytes);
  const named = {
    mediaType: imageManifestType,
    digest: manifest.digest,
    size: manifest.bytes.length,
    annotations: { 'org.opencontainers.image.ref.name': 'image' },
  };
  await writeFile(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [named] }));
  await writeFile(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  return {
    tar,
    layout,
    blobs: [
      { file: pathOf(layerDigest), digest: layerDigest, size: layerSize },
      { file: pathOf(config.digest), digest: config.digest, size: config.bytes.length },
    ],
    manifest: manifest.bytes.toString(),
  };
}

const block = 512;

/** A tar with one file, in the format of POSIX. */
export function* tarOf(size: number, seed: number): Generator<Buffer> {
  yield tarHeader('data', size);
  const piece = Buffer.from(largePiece(seed));
  for (let left = size, number = 0; left > 0; left -= piece.length, number += 1) {
    // Pieces differ, or clients that look for repeated bytes would find some.
    piece.writeUInt32BE(number, 0);
    yield Buffer.from(piece.subarray(0, Math.min(left, piece.length)));
  }
  yield Buffer.alloc((block - (size % block)) % block);
  yield Buffer.alloc(2 * block);
}

function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(block);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  header.write(name, 0);
  header.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
  header.write(`${octal(size, 11)}\0${octal(0, 11)}\0        0`, 124);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

async function digestOfFile(file: string): Promise<string> {
  const sum = createHash('sha256');
  await pipeline(createReadStream(file), sum);
  return `sha256:${sum.digest('hex')}`;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
