// The jobs of the load generator.
import { createReadStream } from 'node:fs';

import { imageManifestType, numberedBlobs, smallImage, tagName } from '../content.ts';
import * as contents from '../content.ts';
import { busySince, expectStatus, loopFor, loopThrough } from './closed-loop.ts';
import type { Load, LoopOptions } from './closed-loop.ts';
import { crowdJobs } from './crowd-jobs.ts';
import { machineJobs } from './machine-jobs.ts';
import { pullLargeBlob } from './pulling.ts';
import { pushBlob, pushBlobPieces, pushLargeBlob, pushManifest } from './pushing.ts';
import type { BlobFlow } from './pushing.ts';

/** All jobs of the generator's process. Options and results pass between processes, so they are plain values. */
export const jobs = {
  ...machineJobs,
  ...crowdJobs,

  /** Repeats a request and checks the status of each answer. */
  async ask(options: LoopOptions & Request): Promise<Load> {
    const lines = options.paths.map((path) => `${options.method} ${path}`);
    return loopFor(options, async (connection, number) => {
      await expectStatus(200, connection, lines[number % lines.length] ?? '', options.headers);
    });
  },

  async pushBlobs(
    options: LoopOptions & { repository: string; flow: BlobFlow; size: number; seed: number },
  ): Promise<Load> {
    const { repository, flow, size, seed } = options;
    const makers = perConnection(options.connections, () => numberedBlobs(size, seed));
    return loopFor(options, async (connection, number, connectionNumber) => {
      await pushBlob(connection, repository, makers(connectionNumber)(number), flow);
    });
  },

  /** Checks that the server accepts blobs in this way. */
  async pushOneBlob(options: { port: number; repository: string; flow: BlobFlow; seed: number }): Promise<Load> {
    return loopThrough({ port: options.port, connections: 1, first: 0, count: 1 }, async (connection, number) => {
      await pushBlob(connection, options.repository, numberedBlobs(4096, options.seed)(number), options.flow);
    });
  },

  /** Pushes a config, a layer and a manifest with a new tag. Each connection uses its own repository. */
  async pushImages(options: LoopOptions & { repository: string }): Promise<Load> {
    return loopFor(options, async (connection, number, connectionNumber) => {
      const repository = `${options.repository}-${connectionNumber}`;
      const { config, layer, manifest } = smallImage(number);
      await pushBlob(connection, repository, config, 'post-put');
      await pushBlob(connection, repository, layer, 'post-put');
      await pushManifest(connection, repository, tagName(number), manifest, imageManifestType);
    });
  },

  /** Pushes the blobs of {@link smallImage} 0, which the other jobs need for their manifests. */
  async pushFirstBlobs(options: { port: number; repository: string }): Promise<Load> {
    const { config, layer } = smallImage(0);
    return loopThrough({ ...options, connections: 1, first: 0, count: 1 }, async (connection) => {
      await pushBlob(connection, options.repository, config, 'post-put');
      await pushBlob(connection, options.repository, layer, 'post-put');
    });
  },

  /** Pushes manifests over the blobs of {@link smallImage} 0, each with its own tag. */
  async pushTags(options: Numbers & { repository: string }): Promise<Load> {
    const { config, layer } = smallImage(0);
    return loopThrough(options, async (connection, number) => {
      const manifest = contents.imageManifest(config, layer, number);
      await pushManifest(connection, options.repository, tagName(number), manifest, imageManifestType);
    });
  },

  /** Pushes artifacts that refer to the manifest of {@link smallImage} 0. */
  async pushReferrers(options: Numbers & { repository: string }): Promise<Load> {
    const { config, layer, manifest } = smallImage(0);
    return loopThrough(options, async (connection, number) => {
      const artifact = contents.referrer(config, layer, manifest, number);
      await pushManifest(connection, options.repository, artifact.digest, artifact, imageManifestType);
    });
  },

  /** Creates repositories `NAME/00000000`, `NAME/00000001` … with the same image in each. */
  async pushRepositories(options: Numbers & { repository: string }): Promise<Load> {
    const { config, layer, manifest } = smallImage(0);
    return loopThrough(options, async (connection, number) => {
      const repository = `${options.repository}/${String(number).padStart(8, '0')}`;
      await pushBlob(connection, repository, config, 'post-put');
      await pushBlob(connection, repository, layer, 'post-put');
      await pushManifest(connection, repository, 'latest', manifest, imageManifestType);
    });
  },

  /** Pushes a blob that repeats the piece of its seed. */
  async pushLarge(options: Omit<Layer, 'seed'> & PushLarge): Promise<Load> {
    const { port, repository, digest, size, seed, flow } = options;
    const blob = { digest, size, piece: contents.largePiece(seed) };
    return loopThrough({ port, connections: 1, first: 0, count: 1 }, async (connection) => {
      await pushLargeBlob(connection, repository, blob, flow);
    });
  },

  /** Pushes an image that lies in files: its blobs, and its manifest with a tag. */
  async pushFiles(options: {
    port: number;
    repository: string;
    tag: string;
    blobs: readonly { readonly file: string; readonly digest: string; readonly size: number }[];
    manifest: string;
  }): Promise<Load> {
    const { port, repository, tag, blobs, manifest } = options;
    return loopThrough({ port, connections: 1, first: 0, count: 1 }, async (connection) => {
      for (const { file, digest, size } of blobs) {
        await pushBlobPieces(connection, repository, { digest, pieces: createReadStream(file) }, size);
      }
      await pushManifest(connection, repository, tag, contents.content(Buffer.from(manifest)), imageManifestType);
    });
  },

  /** Pushes an image with large layers. Each layer repeats the piece of its seed. */
  async pushLayers(options: {
    port: number;
    repository: string;
    tag: string;
    layers: readonly Layer[];
  }): Promise<Load> {
    const { repository, tag, layers } = options;
    const { config } = smallImage(0);
    return loopThrough({ port: options.port, connections: 1, first: 0, count: 1 }, async (connection) => {
      for (const { seed, size, digest } of layers) {
        await pushLargeBlob(connection, repository, { digest, size, piece: contents.largePiece(seed) });
      }
      await pushBlob(connection, repository, config, 'post-put');
      await pushManifest(connection, repository, tag, contents.layersManifest(config, layers), imageManifestType);
    });
  },

  async pullLarge(options: { port: number; path: string; size: number; parallel: number }): Promise<Load> {
    const cpu = process.cpuUsage();
    const started = performance.now();
    const pulls = Array.from({ length: options.parallel }, () => pullLargeBlob(options.port, options.path));
    const lengths = await Promise.all(pulls);
    const seconds = (performance.now() - started) / 1000;
    const wrong = lengths.filter((length) => length !== options.size);
    const firstError =
      wrong.length === 0 ? {} : { firstError: `a blob of ${wrong[0]} bytes instead of ${options.size}` };
    return { done: options.parallel, seconds, busy: busySince(cpu, seconds), errors: wrong.length, ...firstError };
  },
};

export type Jobs = typeof jobs;
export type JobName = keyof Jobs;
export type JobOptions<Name extends JobName> = Parameters<Jobs[Name]>[0];

/** The same request for one path after another. */
export interface Request {
  readonly method: 'GET' | 'HEAD';
  readonly paths: readonly string[];
  /** Whole header lines, each with its `\r\n`. */
  readonly headers: string;
}

interface PushLarge {
  readonly port: number;
  readonly repository: string;
  /** Undefined for the usual piece. */
  readonly seed?: number;
  readonly flow: BlobFlow;
}

interface Layer {
  readonly seed: number;
  readonly size: number;
  readonly digest: string;
}

interface Numbers {
  readonly port: number;
  readonly connections: number;
  readonly first: number;
  readonly count: number;
}

/** Each connection has its own buffer, as a buffer must not change before it has been sent. */
function perConnection<T>(count: number, make: () => T): (connectionNumber: number) => T {
  const made = Array.from({ length: count }, make);
  return (connectionNumber) => made[connectionNumber] as T;
}
