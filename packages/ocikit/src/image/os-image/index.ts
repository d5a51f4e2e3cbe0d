// Images of operating systems.
export type { OsImageConfig, OsPayloadInfo, OsProductInfo } from './os-image-config.ts';
export { createOsImage, osImageTypes, readOsImage } from './os-image.ts';
export type { OsImage, OsPayload, ReadPayloadOptions } from './os-image.ts';
