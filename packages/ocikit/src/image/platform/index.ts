// Platforms: comparing them, and choosing an image for one.
export { hostPlatforms } from './host-platforms.ts';
export type { HostProcess } from './host-platforms.ts';
export { assertPlatforms, chooseEntry, matchingEntries, normalizePlatform, runsOn } from './platforms.ts';
export type { ForPlatform } from './platforms.ts';
