// The media types of manifests, apart from the parser: a web page that only sends them need not load it.
import { mediaTypes, parseMediaType } from './media-types.ts';

/** The kind of manifest that each media type stands for. */
export const kindOfMediaType: ReadonlyMap<string, 'image' | 'index' | 'artifact'> = new Map([
  [mediaTypes.imageManifest, 'image'],
  [mediaTypes.dockerManifest, 'image'],
  [mediaTypes.imageIndex, 'index'],
  [mediaTypes.dockerManifestList, 'index'],
  [mediaTypes.artifactManifest, 'artifact'],
]);

/** The media types that `parseManifest` accepts. */
export const manifestMediaTypes: readonly string[] = [...kindOfMediaType.keys()];

/**
 * True if content of this media type is a manifest: {@link manifestMediaTypes} lists its type. Parameters and case do
 * not count. All other content is a blob.
 *
 * @example isManifestMediaType('application/vnd.oci.image.layer.v1.tar+gzip') // false
 */
export function isManifestMediaType(text: string): boolean {
  return kindOfMediaType.has(text) || kindOfMediaType.has(parseMediaType(text) ?? '');
}

/** Media types whose content browsers run or draw as a page: XHTML and other XML, scripts, PDF. RFC 7303, RFC 9239. */
const activeType = /[/+.-](?:xml|x?html|hta|javascript|ecmascript|pdf)$|^application\/xml-/;

/**
 * The media type under which a manifest is stored and served. Another registry or a directory may name any type, also
 * one that makes a browser run the bytes as a page. So only the types of manifests and other `application/*` types
 * pass, without parameters and in lower case. Every other text becomes `application/octet-stream`.
 *
 * @example
 * manifestMediaType('application/vnd.example+json; charset=utf-8') // 'application/vnd.example+json'
 * manifestMediaType('text/html') // 'application/octet-stream'
 */
export function manifestMediaType(text: string): string {
  if (kindOfMediaType.has(text)) return text;
  const mediaType = parseMediaType(text);
  const isInert = mediaType?.startsWith('application/') === true && !activeType.test(mediaType);
  return isInert ? mediaType : mediaTypes.octetStream;
}
