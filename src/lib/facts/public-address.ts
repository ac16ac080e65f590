import ipaddr from 'ipaddr.js';

/** All that IANA has given out as global unicast (RFC 4291, section 2.4). */
const GLOBAL_V6 = ipaddr.parseCIDR('2000::/3');

/**
 * Whether an address is one on the internet, and not of this machine, its networks, a test or a tunnel (IANA's registries
 * of special-purpose addresses). One that translates to IPv4 is judged as the IPv4 address in it.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast';
  // NAT64 (RFC 6052): a network without IPv4 reaches all of it under this prefix.
  if (parsed.match(ipaddr.parseCIDR('64:ff9b::/96'))) return isPublicAddress(parsed.toByteArray().slice(12).join('.'));
  return parsed.range() === 'unicast' && parsed.match(GLOBAL_V6);
}

/** Whether an address is this machine's own (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), mapped into IPv6 or not. */
export const isLoopbackAddress = (address: string): boolean =>
  ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';
