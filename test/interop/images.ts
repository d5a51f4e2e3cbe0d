// Images that the tests make.
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { link, mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

import { run } from './run.ts';

const MiB = 1024 * 1024;

/** The digest of every file below a directory, by its path. */
export type Files = Readonly<Record<string, string>>;

/** An image with one layer, in every form that a client can push from. */
export interface Image {
  /** The context of a build: a Dockerfile (`FROM scratch`) and the directory `files`. */
  readonly context: string;
  /** An OCI image layout with the image under the tag `image`. */
  readonly layout: string;
  /** The layer: a tar in gzip format. */
  readonly layer: string;
  /** Digest of the manifest in the layout. */
  readonly digest: string;
  /** The files that every client must find in the image. */
  readonly files: Files;
}

/** Makes an image of these files below `directory`. */
export async function makeImage(
  directory: string,
  files: Readonly<Record<string, string | { readonly randomBytes: number }>>,
): Promise<Image> {
  const context = join(directory, 'context');
  const layout = join(directory, 'layout');
  const layer = join(directory, 'layer.tar.gz');
  const tree = join(context, 'files');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), typeof content === 'string' ? content : randomPieces(content.randomBytes));
  }
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY files/ /\nCMD ["/none"]\n');

  const tar = join(directory, 'layer.tar');
  await run('tar', ['--create', '--file', tar, '--directory', tree, '.']);
  // Do not compress: most of the layer is random bytes.
  await pipeline(createReadStream(tar), createGzip({ level: 0 }), createWriteStream(layer));

  const digest = await writeLayout(layout, await sha256OfFile(tar), layer);
  await rm(tar);
  return { context, layout, layer, digest, files: await filesBelow(tree) };
}

function* randomPieces(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= MiB) yield randomBytes(Math.min(left, MiB));
}

async function writeLayout(layout: string, diffId: string, layer: string): Promise<string> {
  const blobs = join(layout, 'blobs', 'sha256');
  await mkdir(blobs, { recursive: true });
  const addBlob = async (mediaType: string, content: Uint8Array): Promise<Descriptor> => {
    const digest = sha256(content);
    await writeFile(join(blobs, hexOf(digest)), content);
    return { mediaType, digest, size: content.length };
  };

  const layerDigest = await sha256OfFile(layer);
  await link(layer, join(blobs, hexOf(layerDigest)));
  const layers = [
    { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: layerDigest, size: (await stat(layer)).size },
  ];
  const config = await addBlob(
    'application/vnd.oci.image.config.v1+json',
    json({
      architecture: 'amd64',
      os: 'linux',
      config: { Cmd: ['/none'] },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = await addBlob(mediaType, json({ schemaVersion: 2, mediaType, config, layers }));

  const annotations = { 'org.opencontainers.image.ref.name': 'image' };
  await writeFile(join(layout, 'index.json'), json({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }));
  await writeFile(join(layout, 'oci-layout'), json({ imageLayoutVersion: '1.0.0' }));
  return manifest.digest;
}

/** Unpacks the layers of the only image in an OCI image layout into the new directory `target`. */
export async function unpackLayout(layout: string, target: string): Promise<void> {
  const blob = (descriptor: Descriptor): string => join(layout, 'blobs', ...descriptor.digest.split(':'));
  const index = (await readJson(join(layout, 'index.json'))) as { manifests: Descriptor[] };
  const [only, ...others] = index.manifests;
  if (only === undefined || others.length > 0) throw new Error(`${layout} holds ${index.manifests.length} images`);
  const manifest = (await readJson(blob(only))) as { layers: Descriptor[] };
  await unpack(manifest.layers.map(blob), target);
}

/** Unpacks tars, compressed or not, one over the other, into the new directory `target`. */
export async function unpack(tars: readonly string[], target: string): Promise<void> {
  await mkdir(target);
  for (const tar of tars) await run('tar', ['--extract', '--file', tar, '--directory', target]);
}

export async function filesBelow(directory: string): Promise<Files> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const digests: Record<string, string> = {};
  for (const path of paths.toSorted()) digests[relative(directory, path)] = await sha256OfFile(path);
  return digests;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export function sha256(content: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest('hex')}`;
}

function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
