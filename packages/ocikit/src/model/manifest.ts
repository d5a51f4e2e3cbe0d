import type { Descriptor } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { kindOfMediaType, manifestMediaTypes } from './manifest-media-types.ts';
import { mediaTypePattern } from './media-types.ts';

interface ManifestCommon {
  /** May be missing: the Content-Type with which the manifest was pushed decides. */
  mediaType?: string;
  artifactType?: string;
  /** The manifest that this one says something about. */
  subject?: Descriptor;
  annotations?: Readonly<Record<string, string>>;
}

/** An OCI image manifest or a Docker manifest of version 2. Image specification, "Image Manifest". */
export interface ImageManifest extends ManifestCommon {
  schemaVersion: 2;
  config: Descriptor;
  layers?: readonly Descriptor[];
}

/** An OCI image index or a Docker manifest list. Image specification, "Image Index". */
export interface ImageIndex extends ManifestCommon {
  schemaVersion: 2;
  manifests?: readonly Descriptor[];
}

/** An artifact manifest of image specification 1.1's release candidates. */
export interface ArtifactManifest extends ManifestCommon {
  artifactType: string;
  blobs?: readonly Descriptor[];
}

/** A manifest that has been parsed and validated, together with the media type that it has in fact. */
export type ManifestDocument =
  | { kind: 'image'; mediaType: string; manifest: ImageManifest }
  | { kind: 'index'; mediaType: string; manifest: ImageIndex }
  | { kind: 'artifact'; mediaType: string; manifest: ArtifactManifest };

const maxKeyLength = 255;

/**
 * Parses and validates a manifest. Fields that the specification does not know are kept.
 *
 * @param mediaType as it was pushed, without parameters
 * @throws RegistryError UNSUPPORTED_MEDIA_TYPE; MANIFEST_INVALID, naming the field
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ManifestDocument {
  const kind = kindOfMediaType.get(mediaType);
  if (kind === undefined) {
    throw new RegistryError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${JSON.stringify(mediaType)} is not a manifest's media type: use one of ${manifestMediaTypes.join(', ')}`,
    );
  }
  const manifest = parseObject(bytes);
  if (manifest['mediaType'] !== undefined && manifest['mediaType'] !== mediaType) {
    throw invalid('mediaType', `is ${shown(manifest['mediaType'])}, but the content was pushed as ${mediaType}`);
  }
  const document: ParsedDocument = { kind, mediaType, manifest };
  assertFields(document);
  return document;
}

/** One whose fields nobody has looked at yet. */
interface ParsedDocument {
  kind: ManifestDocument['kind'];
  mediaType: string;
  manifest: JsonObject;
}

function assertFields(document: ParsedDocument): asserts document is ParsedDocument & ManifestDocument {
  const { kind, manifest } = document;
  for (const [field, check] of Object.entries(fieldsOfKind[kind])) check(manifest[field], field);
}

/** What a manifest names, whatever its kind. */
export interface ManifestLinks {
  /** Config, layers or an artifact's blobs. */
  blobs: readonly Descriptor[];
  /** An index's entries. */
  manifests: readonly Descriptor[];
  subject: Descriptor | undefined;
}

export function linksOf(document: ManifestDocument): ManifestLinks {
  const { subject } = document.manifest;
  switch (document.kind) {
    case 'image':
      return { blobs: [document.manifest.config, ...(document.manifest.layers ?? [])], manifests: [], subject };
    case 'index':
      return { blobs: [], manifests: document.manifest.manifests ?? [], subject };
    case 'artifact':
      return { blobs: document.manifest.blobs ?? [], manifests: [], subject };
  }
}

/**
 * The descriptor under which a manifest is listed as a referrer: with its annotations, and with the config's media
 * type where an image has no `artifactType`. Distribution specification, "Listing Referrers".
 */
export function referrerDescriptor(
  document: ManifestDocument,
  content: Pick<Descriptor, 'digest' | 'size'>,
): Descriptor {
  const { artifactType, annotations } = document.manifest;
  const type =
    artifactType !== undefined && artifactType !== ''
      ? artifactType
      : document.kind === 'image'
        ? document.manifest.config.mediaType
        : undefined;
  return {
    mediaType: document.mediaType,
    digest: content.digest,
    size: content.size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(type === undefined ? {} : { artifactType: type }),
  };
}

type JsonObject = Record<string, unknown>;

function parseObject(bytes: Uint8Array): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw new RegistryError('MANIFEST_INVALID', 'the manifest is not JSON', { cause });
  }
  if (!isObject(value)) throw new RegistryError('MANIFEST_INVALID', 'the manifest is not a JSON object');
  dropNulls(value);
  return value;
}

/** Go programs write what is not there as null. */
function dropNulls(object: JsonObject): void {
  for (const [field, content] of Object.entries(object)) if (content === null) delete object[field];
}

/** Throws if a field has what it must not have. What is missing is `undefined`, and all right unless it is needed. */
type Check = (value: unknown, path: string) => void;

const is =
  (what: string, test: (value: unknown) => boolean): Check =>
  (value, path) => {
    if (value !== undefined && !test(value)) throw invalid(path, `is ${shown(value)}, not ${what}`);
  };

const needed =
  (check: Check): Check =>
  (value, path) => {
    if (value === undefined) throw invalid(path, 'is missing');
    check(value, path);
  };

const absentIn =
  (what: string): Check =>
  (value, path) => {
    if (value !== undefined) throw invalid(path, `does not belong in ${what}`);
  };

const listOf =
  (check: Check): Check =>
  (value, path) => {
    if (value === undefined) return;
    if (!Array.isArray(value)) throw invalid(path, 'is not a list');
    for (const [i, entry] of value.entries()) check(entry, `${path}[${i}]`);
  };

const objectOf =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, path) => {
    if (value === undefined) return;
    if (!isObject(value)) throw invalid(path, 'is not an object');
    dropNulls(value);
    for (const [field, check] of Object.entries(fields)) {
      check(value[field], field.includes('.') ? `${path}["${field}"]` : `${path}.${field}`);
    }
  };

const string = is('a string', isString);
const strings = is('a list of strings', (value) => Array.isArray(value) && value.every(isString));
const mediaType = is('a media type', (value) => value === '' || isMediaType(value));

const annotations: Check = (value, path) => {
  if (value === undefined) return;
  if (!isObject(value)) throw invalid(path, 'is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (key.length > maxKeyLength) throw invalid(path, `has a key of more than ${maxKeyLength} characters`);
    string(text, `${path}[${JSON.stringify(key)}]`);
  }
};

const descriptor = objectOf({
  mediaType: needed(mediaType),
  artifactType: mediaType,
  digest: needed(is('a supported digest', (value) => isString(value) && isDigest(value))),
  size: needed(is('a size in bytes', (value) => Number.isSafeInteger(value) && Number(value) >= 0)),
  urls: strings,
  data: string,
  annotations,
  // Registries hold indexes with platforms of which parts are missing.
  platform: objectOf({
    os: string,
    architecture: string,
    variant: string,
    'os.version': string,
    'os.features': strings,
  }),
});

const common = { mediaType, artifactType: mediaType, annotations, subject: descriptor };
const schemaVersion = needed(is('2', (value) => value === 2));

/** What a manifest of each kind has; other fields may be there as well. */
const fieldsOfKind: Readonly<Record<ManifestDocument['kind'], Readonly<Record<string, Check>>>> = {
  image: {
    ...common,
    schemaVersion,
    config: needed(descriptor),
    layers: listOf(descriptor),
    manifests: absentIn('an image manifest'),
  },
  index: {
    ...common,
    schemaVersion,
    config: absentIn('an index'),
    layers: absentIn('an index'),
    manifests: listOf(descriptor),
  },
  artifact: {
    ...common,
    artifactType: needed(is('an artifact type', isMediaType)),
    config: absentIn('an artifact manifest'),
    layers: absentIn('an artifact manifest'),
    manifests: absentIn('an artifact manifest'),
    blobs: listOf(descriptor),
  },
};

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

function isMediaType(value: unknown): boolean {
  return isString(value) && mediaTypePattern.test(value);
}

/** For a message: short, and not nested, as what is nested very deep can be parsed but not written. */
function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 200) : value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, reason: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the manifest's ${path} ${reason}`, { detail: { field: path } });
}
