// Images and indexes: pulled and verified, created, pushed, and as the files of a layout.
export { contentOf, emptyContent, jsonContent, contentSource, registrySource } from './content/index.ts';
export type {
  BytesContent,
  ContentOptions,
  ImageContent,
  ImageReader,
  ImageSource,
  ReopenableContent,
  ReadVerifiedOptions,
} from './content/index.ts';
export { FileTree, layoutFiles, readLayout, readLayoutIndex } from './layout/index.ts';
export type {
  LayoutEntry,
  LayoutFile,
  PlaceFileOptions,
  ReadLayoutOptions,
  TreeDirectory,
  TreeEntryOptions,
  TreeFile,
} from './layout/index.ts';
export { createOsImage, osImageTypes, readOsImage } from './os-image/index.ts';
export type {
  OsImage,
  OsImageConfig,
  OsPayload,
  OsPayloadInfo,
  OsProductInfo,
  ReadPayloadOptions,
} from './os-image/index.ts';
export { chooseEntry, hostPlatforms, matchingEntries, normalizePlatform, runsOn } from './platform/index.ts';
export type { ForPlatform, HostProcess } from './platform/index.ts';
export { push, pushStream } from './push/index.ts';
export type { PlatformSelection, PushOptions, PushStreamOptions } from './push/index.ts';
export {
  asImage,
  asIndex,
  createImage,
  createIndex,
  createRef,
  imageFor,
  platformOf,
  pull,
  readConfig,
  refMediaTypes,
  walk,
} from './ref/index.ts';
export type {
  ContainerConfig,
  CreateImageOptions,
  CreateIndexOptions,
  CreateRefOptions,
  HistoryEntry,
  Image,
  ImageConfig,
  ImageForOptions,
  Index,
  IndexEntry,
  PullOptions,
  Ref,
  WalkOptions,
} from './ref/index.ts';
