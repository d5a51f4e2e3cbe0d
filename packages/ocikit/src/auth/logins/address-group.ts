// Addresses that count as one: an IPv6 client has a whole network of addresses.

/** The group of an address: an IPv4 address itself, an IPv6 address its network of 64 bits. */
export function addressGroup(address: string | undefined): string {
  if (address === undefined) return '';
  const bare = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(bare)?.[1];
  if (mapped !== undefined) return mapped;
  if (!bare.includes(':')) return bare;
  const [head = '', tail] = bare.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  // An IPv4 address at the end takes the place of two groups.
  const count = groups.length + rest.length + (rest.at(-1)?.includes('.') === true ? 1 : 0);
  const all = tail === undefined ? groups : [...groups, ...Array<string>(Math.max(0, 8 - count)).fill('0'), ...rest];
  return `${all
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
