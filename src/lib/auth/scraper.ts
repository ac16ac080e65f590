import { createHash, timingSafeEqual } from 'node:crypto';
import { isLoopbackAddress } from '../facts/address-reach.ts';

/** Who asks for `/metrics`. */
export type Scraper = {
  /** Whoever connects, whatever the headers say. */
  readonly peer: string | null;
  readonly headers: Headers;
};

export type ScraperRules = {
  readonly metricsToken: string | null;
  readonly addressHeader: string | null;
  readonly origin: string;
};

/** What proxies add, each of them one of these at least. */
const FORWARDED = [
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-forwarded-port',
  'x-forwarded-server',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fly-client-ip',
  'x-original-forwarded-for',
];

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * Whether somebody may read the metrics. With a token set, whoever bears it, from wherever. Without one, this machine
 * alone: the connection comes from loopback, no proxy has left a trace, the browser's address was this machine's (a page
 * elsewhere may give its name this address), and if the server is published at all, its proxy has a header by which
 * what comes through it would be known.
 */
export function judgeScraper(
  { peer, headers }: Scraper,
  { metricsToken, addressHeader, origin }: ScraperRules,
): 'allowed' | 'token needed' | 'not from here' {
  if (metricsToken !== null) {
    const [, borne] = /^Bearer ([!-~]{1,500})$/i.exec(headers.get('authorization') ?? '') ?? [];
    return borne !== undefined && timingSafeEqual(hash(borne), hash(metricsToken)) ? 'allowed' : 'token needed';
  }
  const traces = addressHeader === null ? FORWARDED : [...FORWARDED, addressHeader];
  const isDirect =
    peer !== null &&
    isLoopbackAddress(peer) &&
    !traces.some((name) => headers.has(name)) &&
    isLoopbackHost(`http://${headers.get('host') ?? ''}`) &&
    (addressHeader !== null || isLoopbackHost(origin));
  return isDirect ? 'allowed' : 'not from here';
}

function isLoopbackHost(url: string): boolean {
  const { hostname = '' } = URL.parse(url) ?? {};
  return hostname === 'localhost' || isLoopbackAddress(hostname.replaceAll(/[[\]]/g, ''));
}
