// Tells content that other servers offer from content that only this registry has.
import type { Descriptor } from '../../model/index.ts';

/** Whether a descriptor names URLs where its content can be fetched. The registry need not have such content. */
export function hasUrls({ urls }: Descriptor): boolean {
  return urls !== undefined && urls.length > 0;
}
