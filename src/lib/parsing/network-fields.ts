import { isIP } from 'node:net';
import { withoutBrackets } from '../facts/host-words.ts';
import { described, readBy, textLike } from './fields.ts';

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i;

/**
 * A name that a resolver may take for an address all the same, decimal, octal or hexadecimal, whole or in parts: no host
 * has such a name, and nobody means it. Source: WHATWG, URL, "ends in a number"; inet_aton(3).
 */
const endsInNumber = (name: string): boolean => /(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(name);

/** The host alone; an IPv6 address may stand in brackets, and leaves without them. */
export const host = readBy((text) => {
  const bare = withoutBrackets(text);
  return isIP(bare) !== 0 || (HOST_NAME.test(bare) && !endsInNumber(bare)) ? bare : undefined;
}, 'an IP address or a host name, without user or port');

export const headerName = textLike(/^[a-z0-9-]+$/i, 'the name of a header, such as X-Forwarded-For, or nothing');

/** Scheme and host, as a browser shows them; no login, which would be refused or sent to everybody. */
export const webOrigin = readBy(
  (text) => (/^https?:\/\/[^/\s@?#]+$/i.test(text) && URL.canParse(text) ? text : undefined),
  'scheme and host as in the address bar, such as https://wardround.example',
);

function withoutSlashes(url: string): string {
  let end = url.length;
  while (url[end - 1] === '/') end--;
  return url.slice(0, end);
}

/** An address with one of these schemes, without a slash at its end. It may hold a password, so it is a secret. */
export const secretUrl = (protocols: readonly string[], example: string) =>
  described(
    readBy((text) => {
      const parsed = URL.parse(text);
      return parsed && parsed.hostname !== '' && protocols.includes(parsed.protocol) ? withoutSlashes(text) : undefined;
    }, example),
    { description: example, writeOnly: true },
  );
