import { lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { isPublicAddress } from '../facts/public-address.ts';

const INNER_NAMES = /(^|\.)(localhost|localdomain|local|internal|lan|home|corp|arpa)\.?$/i;

/**
 * Whether a host name looks like one on the internet: a name with a dot, not an address, not a name for inner use
 * (RFC 6761, RFC 6762). A name may still lead to an inner address: `lookUpPublic` judges that when it is dialled.
 */
export const isPublicHost = (hostname: string): boolean =>
  isIP(hostname.replaceAll(/[[\]]/g, '')) === 0 &&
  hostname.replace(/\.$/, '').includes('.') &&
  !INNER_NAMES.test(hostname);

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
