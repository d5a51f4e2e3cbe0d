// Manifests: parsing, validating, and the content that they name.
import type { Descriptor } from './descriptor.ts';
import { isDigest } from './digest.ts';
import { RegistryError } from './errors.ts';
import { inTurn } from './in-turn.ts';
import { assertJsonBounds, decodeJson } from './json-bounds.ts';
import { isManifestMediaType, kindOfMediaType, manifestMediaTypes } from './manifest-media-types.ts';
import type { TimeSlice } from './time-slice.ts';

/** Properties of manifests of every kind. */
interface ManifestCommon {
  /** Optional: the Content-Type that the manifest was pushed with decides. */
  mediaType?: string;
  /** The type of the artifact, if the manifest describes one. */
  artifactType?: string;
  /** The manifest that this one refers to, for example the image that a signature is for. */
  subject?: Descriptor;
  /** Annotations, by key. */
  annotations?: Readonly<Record<string, string>>;
}

/** An OCI image manifest or a Docker manifest of version 2. Image specification, "Image Manifest". */
export interface ImageManifest extends ManifestCommon {
  /** Always 2. */
  schemaVersion: 2;
  /** The image's configuration. */
  config: Descriptor;
  /** The image's layers, the lowest first. */
  layers?: readonly Descriptor[];
}

/** An OCI image index or a Docker manifest list. Image specification, "Image Index". */
export interface ImageIndex extends ManifestCommon {
  /** Always 2. */
  schemaVersion: 2;
  /**
   * The content of the index, for example an image for each platform. An entry is a blob if its type is not the type of
   * a manifest: a build cache lists its layers so.
   */
  manifests?: readonly Descriptor[];
}

/** An artifact manifest of image specification 1.1's release candidates. */
export interface ArtifactManifest extends ManifestCommon {
  /** The type of the artifact. */
  artifactType: string;
  /** The artifact's blobs. */
  blobs?: readonly Descriptor[];
}

/** A parsed and validated manifest, with the media type that it was pushed with. Branch on `kind`. */
export type ManifestDocument =
  | { kind: 'image'; mediaType: string; manifest: ImageManifest }
  | { kind: 'index'; mediaType: string; manifest: ImageIndex }
  | { kind: 'artifact'; mediaType: string; manifest: ArtifactManifest };

const maxKeyLength = 255;

/**
 * Parses and validates a manifest. Keeps fields that the specification does not define.
 *
 * @example
 * const { descriptor, bytes } = await registry.getTag('team/app', 'v1');
 * const document = parseManifest(bytes, descriptor.mediaType);
 * if (document.kind === 'image') console.log(document.manifest.layers);
 * @param mediaType the type that the manifest was pushed with, without parameters
 * @throws RegistryError UNSUPPORTED_MEDIA_TYPE; MANIFEST_INVALID, with the name of the wrong field
 */
export function parseManifest(bytes: Uint8Array, mediaType: string): ManifestDocument {
  const steps = parsing(bytes, mediaType);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Bytes up to which a manifest is parsed faster than others could notice. */
const smallManifest = 64 * 1024;

/**
 * As {@link parseManifest}, for a manifest that may be large: it is parsed in slices, after others that are large.
 *
 * @example const document = await parseManifestInTurn(bytes, descriptor.mediaType);
 * @throws RegistryError as {@link parseManifest}
 */
export async function parseManifestInTurn(bytes: Uint8Array, mediaType: string): Promise<ManifestDocument> {
  if (bytes.length <= smallManifest) return parseManifest(bytes, mediaType);
  return inTurn((slice) => parseManifestInSlices(bytes, mediaType, slice));
}

/**
 * As {@link parseManifest}, in the slices of a caller that has its turn.
 *
 * @example await inTurn((slice) => parseManifestInSlices(bytes, descriptor.mediaType, slice))
 * @throws RegistryError as {@link parseManifest}
 */
export async function parseManifestInSlices(
  bytes: Uint8Array,
  mediaType: string,
  slice: TimeSlice,
): Promise<ManifestDocument> {
  const steps = parsing(bytes, mediaType);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    if (slice.isOver) await slice.giveWay();
  }
}

/** Parses a manifest, and may rest after each step. */
type Steps<T> = Generator<void, T, undefined>;

function* parsing(bytes: Uint8Array, mediaType: string): Steps<ManifestDocument> {
  const kind = kindOfMediaType.get(mediaType);
  if (kind === undefined) {
    throw new RegistryError(
      'UNSUPPORTED_MEDIA_TYPE',
      `${JSON.stringify(mediaType)} is not the media type of a manifest: use one of ${manifestMediaTypes.join(', ')}`,
    );
  }
  const manifest = yield* parsingObject(bytes);
  if (manifest['mediaType'] !== undefined && manifest['mediaType'] !== mediaType) {
    throw invalid('mediaType', `is ${shown(manifest['mediaType'])}, but the manifest was pushed as ${mediaType}`);
  }
  const document: ParsedDocument = { kind, mediaType, manifest };
  for (const [field, check] of Object.entries(fieldsOfKind[kind])) check(manifest[field], field);
  const list = listOfKind[kind];
  yield* checkingList(manifest[list], list);
  assertChecked(document);
  return document;
}

/** A manifest whose fields have not been checked yet. */
interface ParsedDocument {
  kind: ManifestDocument['kind'];
  mediaType: string;
  manifest: JsonObject;
}

/** Tells the compiler that the fields of a document have been checked. */
function assertChecked(_document: ParsedDocument): asserts _document is ParsedDocument & ManifestDocument {
  // `fieldsOfKind` has the checks of each kind.
}

/** The content that a manifest of any kind names. */
export interface ManifestLinks {
  /** The config and layers of an image, the blobs of an artifact, or the entries of an index that are no manifests. */
  blobs: readonly Descriptor[];
  /** The entries of an index that are manifests by their media type. */
  manifests: readonly Descriptor[];
  /** The subject, if the manifest has one. */
  subject: Descriptor | undefined;
}

/**
 * The content that a manifest names.
 *
 * @example
 * const { blobs, manifests, subject } = linksOf(parseManifest(bytes, mediaType));
 */
export function linksOf(document: ManifestDocument): ManifestLinks {
  const { subject } = document.manifest;
  switch (document.kind) {
    case 'image':
      return { blobs: [document.manifest.config, ...(document.manifest.layers ?? [])], manifests: [], subject };
    case 'index':
      return { ...entriesOf(document.manifest.manifests ?? []), subject };
    case 'artifact':
      return { blobs: document.manifest.blobs ?? [], manifests: [], subject };
  }
}

/** Separates the manifests in an index from its blobs. */
function entriesOf(entries: readonly Descriptor[]): Pick<ManifestLinks, 'blobs' | 'manifests'> {
  const manifests = entries.filter(({ mediaType }) => isManifestMediaType(mediaType));
  if (manifests.length === entries.length) return { blobs: [], manifests };
  return { blobs: entries.filter(({ mediaType }) => !isManifestMediaType(mediaType)), manifests };
}

/**
 * The descriptor that lists a manifest as a referrer of its subject, with the manifest's annotations and artifact type.
 * For an image without `artifactType`, the artifact type is the media type of the config. Distribution specification,
 * "Listing Referrers".
 *
 * @example referrerDescriptor(parseManifest(bytes, mediaType), { digest, size: bytes.length })
 * @param content the manifest's own digest and size
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

function* parsingObject(bytes: Uint8Array): Steps<JsonObject> {
  let value: unknown;
  try {
    assertJsonBounds(bytes);
    yield;
    const text = decodeJson(bytes);
    yield;
    value = JSON.parse(text);
    yield;
  } catch (cause) {
    const problem = cause instanceof RangeError ? cause.message : 'is not JSON in UTF-8';
    throw new RegistryError('MANIFEST_INVALID', `the manifest ${problem}`, { cause });
  }
  if (!isObject(value)) throw new RegistryError('MANIFEST_INVALID', 'the manifest is not a JSON object');
  dropNulls(value);
  return value;
}

/** Go programs write missing fields as null. */
function dropNulls(object: JsonObject): void {
  for (const [field, content] of Object.entries(object)) if (content === null) delete object[field];
}

/** Throws if the value of a field is wrong. A missing field is `undefined`, which only {@link required} refuses. */
type Check = (value: unknown, path: string) => void;

const is =
  (what: string, test: (value: unknown) => boolean): Check =>
  (value, path) => {
    if (value !== undefined && !test(value)) throw invalid(path, `is ${shown(value)}, not ${what}`);
  };

const required =
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
/** Longest text for a media type. RFC 6838, section 4.2: each half of a name has at most 127 characters. */
const maxTypeLength = 255;
const controlCharacters = /\p{Cc}/u;
/** Registries hold manifests whose types RFC 6838 does not allow, such as `foo` or types with parameters. */
const mediaType = is(
  `a media type: text of at most ${maxTypeLength} characters, without control characters`,
  (value) => isString(value) && value.length <= maxTypeLength && !controlCharacters.test(value),
);

const annotations: Check = (value, path) => {
  if (value === undefined) return;
  if (!isObject(value)) throw invalid(path, 'is not an object');
  for (const [key, text] of Object.entries(value)) {
    if (key.length > maxKeyLength) throw invalid(path, `has a key of more than ${maxKeyLength} characters`);
    string(text, `${path}[${JSON.stringify(key)}]`);
  }
};

const descriptor = objectOf({
  mediaType: required(mediaType),
  artifactType: mediaType,
  digest: required(is('a supported digest', (value) => isString(value) && isDigest(value))),
  size: required(is('a size in bytes', (value) => Number.isSafeInteger(value) && Number(value) >= 0)),
  urls: strings,
  data: string,
  annotations,
  // Some indexes in registries have incomplete platforms, so no part is required.
  platform: objectOf({
    os: string,
    architecture: string,
    variant: string,
    'os.version': string,
    'os.features': strings,
  }),
});

const common = { mediaType, artifactType: mediaType, annotations, subject: descriptor };
const schemaVersion = required(is('2', (value) => value === 2));

/** The checked fields of each kind of manifest, but for its list. Other fields are allowed. */
const fieldsOfKind: Readonly<Record<ManifestDocument['kind'], Readonly<Record<string, Check>>>> = {
  image: {
    ...common,
    schemaVersion,
    config: required(descriptor),
    manifests: absentIn('an image manifest'),
  },
  index: {
    ...common,
    schemaVersion,
    config: absentIn('an index'),
    layers: absentIn('an index'),
  },
  artifact: {
    ...common,
    artifactType: required(is('an artifact type', (value) => value !== '')),
    config: absentIn('an artifact manifest'),
    layers: absentIn('an artifact manifest'),
    manifests: absentIn('an artifact manifest'),
  },
};

/** The field of each kind that lists descriptors. */
const listOfKind: Readonly<Record<ManifestDocument['kind'], string>> = {
  image: 'layers',
  index: 'manifests',
  artifact: 'blobs',
};

function* checkingList(value: unknown, path: string): Steps<void> {
  if (value === undefined) return;
  if (!Array.isArray(value)) throw invalid(path, 'is not a list');
  for (const [i, entry] of value.entries()) {
    descriptor(entry, `${path}[${i}]`);
    yield;
  }
}

function isString(value: unknown): value is string {
  return typeof value === 'string';
}

/** A value for an error message. Lists and objects are only named: JSON.stringify fails if they nest too deep. */
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
