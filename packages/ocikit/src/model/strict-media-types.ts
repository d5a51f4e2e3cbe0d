// The strict form of media types in manifests, which stores, servers and pulls may ask for.
import type { Descriptor } from './descriptor.ts';
import { RegistryError } from './errors.ts';
import type { ManifestDocument } from './manifest.ts';
import { mediaTypePattern } from './media-types.ts';

/**
 * Refuses a manifest in which a media type or artifact type is not `type/subtype` as RFC 6838, section 4.2 defines it.
 * `parseManifest` takes any text, because registries hold types such as `foo` or `text/plain; charset=utf-8`. An empty
 * text counts as a missing type.
 *
 * @example assertStrictMediaTypes(parseManifest(bytes, mediaType));
 * @throws RegistryError MANIFEST_INVALID, with the name of the wrong field
 */
export function assertStrictMediaTypes(document: ManifestDocument): void {
  const { kind, manifest } = document;
  assertType('mediaType', manifest.mediaType);
  assertType('artifactType', manifest.artifactType);
  if (manifest.subject !== undefined) assertTypes('subject', manifest.subject);
  if (kind === 'image') assertTypes('config', manifest.config);
  const list = listOfKind[kind];
  for (const [i, entry] of descriptorsOf(document).entries()) assertTypes(`${list}[${i}]`, entry);
}

/** The field of each kind that lists descriptors. */
const listOfKind = { image: 'layers', index: 'manifests', artifact: 'blobs' } as const;

function descriptorsOf({ kind, manifest }: ManifestDocument): readonly Descriptor[] {
  return (kind === 'image' ? manifest.layers : kind === 'index' ? manifest.manifests : manifest.blobs) ?? [];
}

function assertTypes(field: string, { mediaType, artifactType }: Descriptor): void {
  assertType(`${field}.mediaType`, mediaType);
  assertType(`${field}.artifactType`, artifactType);
}

function assertType(field: string, type: string | undefined): void {
  if (type === undefined || type === '' || mediaTypePattern.test(type)) return;
  throw new RegistryError(
    'MANIFEST_INVALID',
    `the manifest's ${field} is ${JSON.stringify(type)}, which is no media type of the form type/subtype`,
    { detail: { field } },
  );
}
