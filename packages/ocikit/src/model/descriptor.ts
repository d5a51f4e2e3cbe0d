import type { Digest } from './digest.ts';

/** What content is, how large it is and how it is recognised. Image specification, "OCI Content Descriptors". */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  /** Bytes. */
  size: number;
  /**
   * Where the content can be fetched as well. In a descriptor that a registry's method returns, a server may redirect
   * there; in a manifest, the content need not be in the repository.
   */
  urls?: readonly string[];
  annotations?: Readonly<Record<string, string>>;
  /** The content itself, as base64. */
  data?: string;
  platform?: Platform;
  artifactType?: string;
}

/** What an image runs on. Image specification, "Image Index". */
export interface Platform {
  /** As Go names it: `amd64`, `arm64`, … */
  architecture: string;
  /** As Go names it: `linux`, `windows`, … */
  os: string;
  'os.version'?: string;
  'os.features'?: readonly string[];
  /** For example `v7` of `arm`. */
  variant?: string;
}

/** `os/architecture[/variant][:os.version]`, as everyone writes it. */
export function formatPlatform(platform: Platform): string {
  const version = platform['os.version'];
  const path = [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/');
  return version === undefined || version === '' ? path : `${path}:${version}`;
}

/** @throws TypeError if it is not `os/architecture[/variant][:os.version]` */
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
