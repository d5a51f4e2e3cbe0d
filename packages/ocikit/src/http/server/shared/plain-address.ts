// IP addresses as people write them.

const version4InVersion6 = /^::ffff:(?=[0-9]+\.[0-9.]+$)/i;

/** Returns an IPv4 address that a socket for IPv6 gives in its dotted form, and every other address as it is. */
export function plainAddress(address: string): string {
  return address.replace(version4InVersion6, '');
}
