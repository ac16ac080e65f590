import { isIP } from 'node:net';

const INNER_NAMES = /(^|\.)(localhost|local|internal|lan|home|corp|arpa)\.?$/i;

/**
 * Whether a host name looks like one on the internet: a name with a dot, not an address, not a name for inner use
 * (RFC 6761, RFC 6762). A name may still lead to an inner address; who may name hosts is decided with that in mind.
 */
export const isPublicHost = (hostname: string): boolean =>
  isIP(hostname.replaceAll(/[[\]]/g, '')) === 0 &&
  hostname.replace(/\.$/, '').includes('.') &&
  !INNER_NAMES.test(hostname);
