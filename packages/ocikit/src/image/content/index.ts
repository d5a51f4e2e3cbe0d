// The content of images: sources, and reading that verifies.
export { assertDescriptor, assertFits } from './descriptor-checks.ts';
export { inlineData, toBase64 } from './inline-data.ts';
export { isJsonObject, parseJsonObject } from './json.ts';
export type { JsonObject } from './json.ts';
export { contentOf, emptyContent, jsonContent, contentSource, openContent, knownSize } from './reopenable-content.ts';
export type { BytesContent, ContentOptions, ImageContent, ReopenableContent } from './reopenable-content.ts';
export { boundSource, inheritCall, registrySource } from './source.ts';
export type { ImageReader, ImageSource } from './source.ts';
export { defaultLimit, openVerified, readVerified } from './verified-reads.ts';
export type { ReadVerifiedOptions } from './verified-reads.ts';
