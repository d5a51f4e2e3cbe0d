// Descriptors, which name content by type, digest and size, and the platforms that they may carry.
import type { Digest } from './digest.ts';
import { mediaTypes } from './media-types.ts';

/**
 * The type, digest and size of content. Image specification, "OCI Content Descriptors".
 *
 * @example
 * const descriptor: Descriptor = { mediaType: mediaTypes.layerGzip, digest: digestOf(bytes), size: bytes.length };
 */
export interface Descriptor {
  /** The media type of the content. */
  mediaType: string;
  /** The digest of the content. */
  digest: Digest;
  /** Bytes. */
  size: number;
  /**
   * URLs from which the content can be fetched as well. If a registry's method returns them, a server may redirect
   * clients there. If a manifest contains them, the content need not be in the repository.
   */
  urls?: readonly string[];
  /** Annotations, by key. */
  annotations?: Readonly<Record<string, string>>;
  /** The content itself, as base64. */
  data?: string;
  /** The platform that an image in an index is for. */
  platform?: Platform;
  /** The type of the artifact that the content is the manifest of. */
  artifactType?: string;
}

/** The platform that an image runs on. Image specification, "Image Index". */
export interface Platform {
  /** The processor architecture as Go names it: `amd64`, `arm64`, … */
  architecture: string;
  /** The operating system as Go names it: `linux`, `windows`, … */
  os: string;
  /** The version of the operating system, for example `10.0.14393.1066`. */
  'os.version'?: string;
  /** The features of the operating system that the image needs, for example `win32k`. */
  'os.features'?: readonly string[];
  /** The variant of the processor, for example `v7` of `arm`. */
  variant?: string;
}

/**
 * The descriptor of a blob of unknown type: `application/octet-stream`.
 *
 * @example blobDescriptor(digestOf(bytes), bytes.length)
 */
export function blobDescriptor(digest: Digest, size: number): Descriptor {
  return { mediaType: mediaTypes.octetStream, digest, size };
}

/**
 * A platform as text: `os/architecture[/variant][:os.version]`.
 *
 * @example formatPlatform({ os: 'linux', architecture: 'arm', variant: 'v7' }) // 'linux/arm/v7'
 */
export function formatPlatform(platform: Platform): string {
  const version = platform['os.version'];
  const path = [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
  return version === undefined || version === '' ? path : `${path}:${version}`;
}

/**
 * Parses a platform.
 *
 * @example parsePlatform('linux/arm/v7') // { os: 'linux', architecture: 'arm', variant: 'v7' }
 * @throws TypeError if the text is not `os/architecture[/variant][:os.version]`
 */
export function parsePlatform(text: string): Platform {
  const match = /^([\w.-]+)\/([\w.-]+)(?:\/([\w.-]+))?(?::([\w.-]+))?$/.exec(text);
  if (match === null) {
    throw new TypeError(`${JSON.stringify(text)} is not a platform: expected os/architecture[/variant][:os.version]`);
  }
  const [, os = '', architecture = '', variant, version] = match;
  return {
    architecture,
    os,
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(variant === undefined ? {} : { variant }),
  };
}

/**
 * True if a descriptor names URLs at which its content can be fetched: the registry itself need not have it.
 *
 * @example const missing = descriptors.filter((each) => !hasUrls(each));
 */
export function hasUrls({ urls }: Pick<Descriptor, 'urls'>): boolean {
  return urls !== undefined && urls.length > 0;
}
