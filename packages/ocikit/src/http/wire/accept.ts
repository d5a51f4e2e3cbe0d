/**
 * Whether an `Accept` header takes a media type. The most specific entry decides, `q=0` refuses, and nothing said is
 * everything taken. RFC 9110, section 12.5.1. `application/json` stands for every type made of JSON, as clients that know
 * no better ask for it.
 */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  const [type = ''] = mediaType.split('/');
  let best = { specificity: -1, taken: false };
  for (const entry of header.split(',')) {
    const [range = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
    const specificity = specificityOf(range, type, mediaType);
    const taken = !parameters.some((parameter) => /^q\s*=\s*0(?:\.0*)?$/.test(parameter));
    // Of the same range given twice, the one that takes it counts.
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
