import { isIPv6 } from 'node:net';
import { ADDRESS_HEADER } from './auth.ts';

/** Who sends a request, as far as accounts care. */
export type Asking = {
  /** The peer, or what a trusted proxy says (setting `ADDRESS_HEADER`); null where the proxy said nothing. */
  readonly address: string | null;
  readonly userAgent: string;
  /** The `Cookie` header. */
  readonly cookie: string;
};

/** The headers that better-auth gets to see: nothing else that a client sends, `X-Forwarded-For` least of all. */
export const headersOf = ({ address, userAgent, cookie }: Asking): Headers => {
  const headers = new Headers({ 'user-agent': userAgent.slice(0, 300) });
  if (cookie !== '') headers.set('cookie', cookie);
  if (address !== null) headers.set(ADDRESS_HEADER, address);
  return headers;
};

/** Who asks, for counting: an IPv6 customer has 2⁶⁴ addresses, so the network counts. */
export function networkOf(address: string | null): string {
  if (address === null) return 'unknown';
  const [, v4] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address) ?? [];
  if (v4 !== undefined) return v4;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%')[0]?.split('::') ?? [];
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined ? before : [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
