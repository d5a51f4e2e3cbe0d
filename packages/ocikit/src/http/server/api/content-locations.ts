// Other places that content can be fetched from.
import { isHttpUrl } from '../../../model/index.ts';
import type { Descriptor } from '../../../model/index.ts';
import type { ServerOptions } from '../shared/index.ts';

/** Returns true if content may have another place: only then is {@link locationOf} worth its promise. */
export function mayBeElsewhere({ locationsForDescriptor }: ServerOptions, { urls }: Descriptor): boolean {
  return locationsForDescriptor !== undefined || urls !== undefined;
}

/** Returns the URL from which clients fetch content; undefined if this server sends the content itself. */
export async function locationOf(
  options: ServerOptions,
  isManifest: boolean,
  descriptor: Descriptor,
): Promise<string | undefined> {
  const urls = (await options.locationsForDescriptor?.(isManifest, descriptor)) ?? descriptor.urls ?? [];
  // Never redirect to a `file:` or `javascript:` URL, nor to a relative one: its target depends on the client's own
  // URL.
  return urls.find(isHttpUrl);
}
