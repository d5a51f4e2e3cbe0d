// The grammar of media types; their names are in media-type-names.ts.

/**
 * The media types of manifests and of the content that they name. Image specification, "Media Types".
 *
 * @example mediaTypes.imageManifest // 'application/vnd.oci.image.manifest.v1+json'
 */
export * as mediaTypes from './media-type-names.ts';

const nameChars = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}';

/** The grammar of a media type without parameters. RFC 6838, section 4.2. */
export const mediaTypePattern: RegExp = new RegExp(`^${nameChars}/${nameChars}$`);

/**
 * A `Content-Type` without its parameters, in lower case; undefined if it is not a media type.
 *
 * @example parseMediaType('Text/Plain; charset=utf-8') // 'text/plain'
 */
export function parseMediaType(text: string): string | undefined {
  const semicolon = text.indexOf(';');
  const bare = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  return mediaTypePattern.test(bare) ? bare : undefined;
}
