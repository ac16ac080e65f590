import { isIP } from 'node:net';

const isLoopbackAddress = (address: string): boolean =>
  address === '::1' || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address);

/** What a reverse proxy adds: then the peer is the proxy, and nothing is known of who asks. */
const PROXY_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/**
 * Whether a request comes from this machine and was meant for it: a loopback peer, a loopback name in `Host` (a page
 * elsewhere can point its own name at 127.0.0.1: DNS rebinding), and no proxy in between.
 */
export function isLocalRequest(peerAddress: string, hostname: string, headers: Headers): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  const isLocalName = isIP(host) ? isLoopbackAddress(host) : host === 'localhost' || host.endsWith('.localhost');
  return isLoopbackAddress(peerAddress) && isLocalName && !PROXY_HEADERS.some((name) => headers.has(name));
}
