/** The media types of manifests and of what they name. Image specification, "Media Types". */
export * as mediaTypes from './media-type-names.ts';

const nameChars = '[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}';

/** The grammar of a media type without parameters. RFC 6838, section 4.2. */
export const mediaTypePattern: RegExp = new RegExp(`^${nameChars}/${nameChars}$`);

/** A `Content-Type` without its parameters, in lower case; undefined if it is not a media type. */
export function parseMediaType(text: string): string | undefined {
  const semicolon = text.indexOf(';');
  const bare = (semicolon < 0 ? text : text.slice(0, semicolon)).trim().toLowerCase();
  return mediaTypePattern.test(bare) ? bare : undefined;
}
