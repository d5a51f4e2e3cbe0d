import type { Descriptor } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { mediaTypePattern, mediaTypes } from './media-types.ts';

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

const kindOfMediaType: ReadonlyMap<string, ManifestDocument['kind']> = new Map([
  [mediaTypes.imageManifest, 'image'],
  [mediaTypes.dockerManifest, 'image'],
  [mediaTypes.imageIndex, 'index'],
  [mediaTypes.dockerManifestList, 'index'],
  [mediaTypes.artifactManifest, 'artifact'],
]);

/** The media types that {@link parseManifest} understands. */
export const manifestMediaTypes: readonly string[] = [...kindOfMediaType.keys()];

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
  checkCommon(manifest);
  switch (kind) {
    case 'image':
      checkImage(manifest);
      return { kind, mediaType, manifest: manifest as unknown as ImageManifest };
    case 'index':
      checkIndex(manifest);
      return { kind, mediaType, manifest: manifest as unknown as ImageIndex };
    case 'artifact':
      checkArtifact(manifest);
      return { kind, mediaType, manifest: manifest as unknown as ArtifactManifest };
  }
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

function checkCommon(manifest: JsonObject): void {
  checkType(manifest['mediaType'], 'mediaType');
  checkType(manifest['artifactType'], 'artifactType');
  checkAnnotations(manifest['annotations'], 'annotations');
  if (manifest['subject'] !== undefined) checkDescriptor(manifest['subject'], 'subject');
}

function checkImage(manifest: JsonObject): void {
  checkSchemaVersion(manifest);
  checkAbsent(manifest, 'manifests', 'an image manifest');
  checkDescriptor(manifest['config'], 'config');
  checkDescriptors(manifest['layers'], 'layers');
}

function checkIndex(manifest: JsonObject): void {
  checkSchemaVersion(manifest);
  checkAbsent(manifest, 'config', 'an index');
  checkAbsent(manifest, 'layers', 'an index');
  checkDescriptors(manifest['manifests'], 'manifests');
}

function checkArtifact(manifest: JsonObject): void {
  checkAbsent(manifest, 'config', 'an artifact manifest');
  checkAbsent(manifest, 'layers', 'an artifact manifest');
  checkAbsent(manifest, 'manifests', 'an artifact manifest');
  if (typeof manifest['artifactType'] !== 'string' || manifest['artifactType'] === '') {
    throw invalid('artifactType', 'is missing');
  }
  checkDescriptors(manifest['blobs'], 'blobs');
}

function checkSchemaVersion(manifest: JsonObject): void {
  if (manifest['schemaVersion'] !== 2) {
    throw invalid('schemaVersion', `is ${shown(manifest['schemaVersion'])}, not 2`);
  }
}

function checkAbsent(manifest: JsonObject, field: string, what: string): void {
  if (manifest[field] !== undefined) throw invalid(field, `does not belong in ${what}`);
}

function checkDescriptors(value: unknown, path: string): void {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw invalid(path, 'is not a list');
  for (const [i, entry] of value.entries()) checkDescriptor(entry, `${path}[${i}]`);
}

function checkDescriptor(value: unknown, path: string): void {
  if (!isObject(value)) throw invalid(path, value === undefined ? 'is missing' : 'is not a descriptor');
  dropNulls(value);
  if (typeof value['mediaType'] !== 'string') throw invalid(`${path}.mediaType`, 'is missing');
  checkType(value['mediaType'], `${path}.mediaType`);
  checkType(value['artifactType'], `${path}.artifactType`);
  if (typeof value['digest'] !== 'string' || !isDigest(value['digest'])) {
    throw invalid(`${path}.digest`, `is ${shown(value['digest'])}, which is not a supported digest`);
  }
  const { size } = value;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`${path}.size`, `is ${shown(size)}, which is not a size in bytes`);
  }
  checkStrings(value['urls'], `${path}.urls`);
  checkString(value['data'], `${path}.data`);
  checkAnnotations(value['annotations'], `${path}.annotations`);
  checkPlatform(value['platform'], `${path}.platform`);
}

/** Registries hold indexes with platforms of which parts are missing. */
function checkPlatform(value: unknown, path: string): void {
  if (value === undefined) return;
  if (!isObject(value)) throw invalid(path, 'is not an object');
  dropNulls(value);
  checkString(value['os'], `${path}.os`);
  checkString(value['architecture'], `${path}.architecture`);
  checkString(value['variant'], `${path}.variant`);
  checkString(value['os.version'], `${path}["os.version"]`);
  checkStrings(value['os.features'], `${path}["os.features"]`);
}

function checkString(value: unknown, path: string): void {
  if (value !== undefined && typeof value !== 'string') throw invalid(path, 'is not a string');
}

function checkStrings(value: unknown, path: string): void {
  if (value !== undefined && !(Array.isArray(value) && value.every((item) => typeof item === 'string'))) {
    throw invalid(path, 'is not a list of strings');
  }
}

function checkType(value: unknown, path: string): void {
  if (value === undefined || value === '') return;
  if (typeof value !== 'string' || !mediaTypePattern.test(value)) {
    throw invalid(path, 'is not a media type');
  }
}

function checkAnnotations(value: unknown, path: string): void {
  if (value === undefined) return;
  if (!isObject(value)) throw invalid(path, 'is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (key.length > maxKeyLength) throw invalid(path, `has a key of more than ${maxKeyLength} characters`);
    if (typeof text !== 'string') throw invalid(`${path}[${JSON.stringify(key)}]`, 'is not a string');
  }
}

/** For a message: short, and not nested, as what is nested very deep can be parsed but not written. */
function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return JSON.stringify(typeof value === 'string' ? value.slice(0, 200) : value);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(path: string, reason: string): RegistryError {
  return new RegistryError('MANIFEST_INVALID', `the manifest's ${path} ${reason}`, { detail: { field: path } });
}
