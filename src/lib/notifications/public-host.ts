import { lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

const INNER_NAMES = /(^|\.)(localhost|localdomain|local|internal|lan|home|corp|arpa)\.?$/i;

/**
 * Whether a host name looks like one on the internet: a name with a dot, not an address, not a name for inner use
 * (RFC 6761, RFC 6762). A name may still lead to an inner address: `lookUpPublic` judges that when it is dialled.
 */
export const isPublicHost = (hostname: string): boolean =>
  isIP(hostname.replaceAll(/[[\]]/g, '')) === 0 &&
  hostname.replace(/\.$/, '').includes('.') &&
  !INNER_NAMES.test(hostname);

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

/** The code of the error for a name that leads to an address within. */
export const INNER_ADDRESS = 'EINNERADDRESS';

/**
 * Looks a name up for a connection, and refuses it if any of its addresses lies within. The connection is made to what was
 * judged here: nobody asks a second time, so a name cannot change its mind in between. `resolve`: how names are looked up.
 */
export const lookUpPublic =
  (resolve: typeof lookUp = lookUp): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const inner = addresses.find(({ address }) => !isPublicAddress(address));
      if (inner || addresses.length === 0)
        return callback(Object.assign(new Error('the name leads to an inner address'), { code: INNER_ADDRESS }), []);
      const [first] = addresses;
      if (options.all === true || !first) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
