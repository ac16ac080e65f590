import { lookup as lookUp } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { refusalOfAll, type Reach } from '../facts/address-reach.ts';
import { withoutBrackets } from '../facts/host-words.ts';

const INNER_NAMES = /(^|\.)(localhost|localdomain|local|internal|lan|home|corp|arpa)\.?$/i;

/**
 * Whether a host name looks like one on the internet: a name with a dot, not an address, not a name for inner use
 * (RFC 6761, RFC 6762). A name may still lead to an inner address: `lookUpWithin` judges that when it is dialled.
 */
export const isPublicHost = (hostname: string): boolean =>
  isIP(withoutBrackets(hostname)) === 0 && hostname.replace(/\.$/, '').includes('.') && !INNER_NAMES.test(hostname);

/** The code of the error for a name that leads to an address that may not be called. */
export const REFUSED_ADDRESS = 'EREFUSEDADDRESS';

/** Why the address itself that stands for a host in a URL may not be called: no look-up comes before it is dialled. */
export const refusalOfLiteral = (hostname: string, reach: Reach): string | null => {
  const bare = withoutBrackets(hostname);
  return isIP(bare) === 0 ? null : refusalOfAll([bare], reach);
};

/**
 * Looks a name up for a connection, and refuses it if any of its addresses lies beyond `reach`. The connection is made to
 * what was judged here: nobody asks a second time, so a name cannot change its mind in between. `resolve`: how names are
 * looked up.
 */
export const lookUpWithin =
  (reach: Reach, resolve: typeof lookUp = lookUp): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const [first] = addresses;
      const found = addresses.map(({ address }) => address);
      const refusal = refusalOfAll(found, reach);
      if (refusal !== null || !first)
        return callback(Object.assign(new Error(refusal ?? 'no address'), { code: REFUSED_ADDRESS }), []);
      return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
