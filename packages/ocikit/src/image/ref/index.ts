// Images and indexes as objects.
export { createImage, createIndex, entryDescriptor } from './compose.ts';
export type { CreateImageOptions, CreateIndexOptions, IndexEntry } from './compose.ts';
export { platformOf, readConfig } from './image-config.ts';
export type { ContainerConfig, HistoryEntry, ImageConfig } from './image-config.ts';
export { imageFor } from './image-for.ts';
export type { ImageForOptions } from './image-for.ts';
export { pull } from './pull.ts';
export type { PullOptions } from './pull.ts';
export { asImage, asIndex, blobsOf, createRef, refMediaTypes } from './ref.ts';
export type { CreateRefOptions, Image, Index, Ref } from './ref.ts';
export { walk } from './walk.ts';
export type { WalkOptions } from './walk.ts';
