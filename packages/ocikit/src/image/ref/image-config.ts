// The config of a container image.
import { mediaTypes, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Platform } from '../../model/index.ts';

import { isJsonObject, parseJsonObject } from '../content/index.ts';
import type { JsonObject, ReadVerifiedOptions } from '../content/index.ts';
import { normalizePlatform } from '../platform/index.ts';

import type { Image } from './ref.ts';

/** The settings with which a container starts. Image specification, "Image Configuration". */
export interface ContainerConfig {
  /** The user that the process runs as: a name or an id, with `:GROUP` if needed. */
  User?: string;
  /** The ports that the container listens on: `80/tcp`. */
  ExposedPorts?: Readonly<Record<string, object>>;
  /** Environment variables: `NAME=VALUE`. */
  Env?: readonly string[];
  /** The program to run, and its first arguments. */
  Entrypoint?: readonly string[];
  /** The arguments of the entry point. Without an entry point: the program to run. */
  Cmd?: readonly string[];
  /** Directories for data of the container. */
  Volumes?: Readonly<Record<string, object>>;
  /** The working directory of the process. */
  WorkingDir?: string;
  /** Labels of the container. */
  Labels?: Readonly<Record<string, string>>;
  /** The signal that stops the container: `SIGTERM`. */
  StopSignal?: string;
}

/** A step of the build. */
export interface HistoryEntry {
  /** When the step ran; RFC 3339. */
  created?: string;
  /** The command of the step. */
  created_by?: string;
  /** The author of the step. */
  author?: string;
  /** A comment of the author or the builder. */
  comment?: string;
  /** True if the step made no layer. */
  empty_layer?: boolean;
}

/** The config of a container image. Image specification, "Image Configuration". */
export interface ImageConfig extends Platform {
  /** When the image was created; RFC 3339. */
  created?: string;
  /** The image's author. */
  author?: string;
  /** The settings with which a container starts. */
  config?: ContainerConfig;
  /** The layers. */
  rootfs: {
    type: 'layers';
    /** The digests of the layers, without compression. */
    diff_ids: readonly Digest[];
  };
  /** The steps of the build, the first one first. */
  history?: readonly HistoryEntry[];
}

const configTypes: ReadonlySet<string> = new Set([mediaTypes.imageConfig, mediaTypes.dockerConfig]);

/**
 * * Reads the config of a container image, verified and parsed. Only the fields of the platform and `rootfs` are
 * validated. The other fields are as the builder of the image wrote them.
 *
 * Rejects with UNSUPPORTED_MEDIA_TYPE if the image is no container image; MANIFEST_INVALID, naming the field; and like
 * `Image.readVerified`.
 *
 * @example
 * const { config } = await readConfig(image);
 * console.log(config?.Entrypoint);
 */
export async function readConfig(image: Image, options: ReadVerifiedOptions = {}): Promise<ImageConfig> {
  const { mediaType, digest } = image.config;
  if (!configTypes.has(mediaType)) {
    throw new RegistryError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${image.descriptor.digest} is no container image: its config is ${mediaType}`,
    );
  }
  const value = parseJsonObject(await image.readVerified(image.config, options));
  if (value === undefined) throw new RegistryError('MANIFEST_INVALID', `the config ${digest} is not a JSON object`);
  const { rootfs } = value;
  const config: JsonObject = isJsonObject(rootfs) ? { ...value, rootfs: { diff_ids: [], ...rootfs } } : value;
  assertFields(config, digest);
  return config;
}

function assertFields(config: JsonObject, digest: Digest): asserts config is JsonObject & ImageConfig {
  const wrong = (field: string): RegistryError =>
    new RegistryError('MANIFEST_INVALID', `the ${field} of the config ${digest} is malformed`, { detail: { field } });
  for (const field of ['architecture', 'os']) if (typeof config[field] !== 'string') throw wrong(field);
  for (const field of ['variant', 'os.version'])
    if (!['string', 'undefined'].includes(typeof config[field])) throw wrong(field);
  if (!isStrings(config['os.features'] ?? [])) throw wrong('os.features');
  const { rootfs } = config;
  if (!isJsonObject(rootfs) || !isStrings(rootfs['diff_ids'] ?? [])) throw wrong('rootfs');
}

/**
 * Reads from its config the platform that an image runs on; undefined if it is no container image. Rejects like
 * {@link readConfig}.
 *
 * @example
 * const index = createIndex([{ ref: image, platform: await platformOf(image) }]);
 */
export async function platformOf(image: Image, options: CallOptions = {}): Promise<Platform | undefined> {
  if (!configTypes.has(image.config.mediaType)) return undefined;
  return normalizePlatform(await readConfig(image, options));
}

function isStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
