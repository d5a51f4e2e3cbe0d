// The `Accept` header: the media types that a client takes.

/**
 * Returns true if an `Accept` header takes a media type. The most specific entry decides, and `q=0` refuses. A missing
 * or empty header takes every type. RFC 9110, section 12.5.1. `application/json` takes every type that ends with
 * `+json`, as simple clients ask for manifests that way.
 */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  const [type = ''] = mediaType.split('/');
  let best = { specificity: -1, taken: false };
  for (const entry of header.split(',')) {
    const [range = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const specificity = specificityOf(range, type, mediaType);
    const taken = !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
    // If an entry is repeated, the one that takes the type counts.
    if (specificity > best.specificity || (specificity === best.specificity && taken)) best = { specificity, taken };
  }
  return best.specificity >= 0 && best.taken;
}

function specificityOf(range: string, type: string, mediaType: string): number {
  if (range === mediaType.toLowerCase()) return 3;
  if (range === 'application/json' && mediaType.endsWith('+json')) return 2;
  if (range === `${type}/*`) return 1;
  return range === '*/*' ? 0 : -1;
}
