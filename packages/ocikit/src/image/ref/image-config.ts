import { mediaTypes, RegistryError } from '../../model/index.ts';
import type { CallOptions, Digest, Platform } from '../../model/index.ts';

import { isJsonObject, parseJsonObject } from '../content/index.ts';
import type { JsonObject, ReadVerifiedOptions } from '../content/index.ts';
import { normalizePlatform } from '../platform/index.ts';

import type { Image } from './ref.ts';

/** What a container is started with. Image specification, "Image Configuration". */
export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Readonly<Record<string, object>>;
  /** `NAME=VALUE` */
  Env?: readonly string[];
  Entrypoint?: readonly string[];
  Cmd?: readonly string[];
  Volumes?: Readonly<Record<string, object>>;
  WorkingDir?: string;
  Labels?: Readonly<Record<string, string>>;
  StopSignal?: string;
}

/** The step of a build that made a layer, or no layer. */
export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** The config of an image for containers. Image specification, "Image Configuration". */
export interface ImageConfig extends Platform {
  created?: string;
  author?: string;
  config?: ContainerConfig;
  rootfs: {
    type: 'layers';
    /** The digests of the layers when they are not compressed. */
    diff_ids: readonly Digest[];
  };
  history?: readonly HistoryEntry[];
}

const configTypes: ReadonlySet<string> = new Set([mediaTypes.imageConfig, mediaTypes.dockerConfig]);

/**
 * The config of an image, verified and parsed. Of its fields, those of the platform and `rootfs` are checked; the others are as whoever
 * built the image wrote them.
 *
 * Rejects with UNSUPPORTED_MEDIA_TYPE if the image is none for containers; MANIFEST_INVALID; all that `Image.readVerified` does.
 *
 * @example
 * const { config } = await readConfig(image);
 * console.log(config?.Entrypoint);
 */
export async function readConfig(image: Image, options: ReadVerifiedOptions = {}): Promise<ImageConfig> {
  const { mediaType, digest } = image.config;
  if (!configTypes.has(mediaType)) {
    throw new RegistryError('UNSUPPORTED_MEDIA_TYPE', `${image.descriptor.digest} has a config of ${mediaType}`);
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
 * What an image runs on, as its config says; undefined if it is none for containers.
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
