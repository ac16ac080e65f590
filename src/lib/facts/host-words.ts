/** `[2001:db8::7]:22`, `10.4.1.7:22`: colons within an address keep its port apart by brackets. Source: RFC 3986, 3.2.2. */
export const hostAndPort = (host: string, port: number): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

/** The same without the port where it is the usual one of SSH. */
export const shortAddress = (host: string, port: number): string => (port === 22 ? host : hostAndPort(host, port));

/** An IPv6 address as it stands in an address bar, as one without its brackets; anything else as it is. */
export function withoutBrackets(text: string): string {
  if (!text.startsWith('[') || !text.endsWith(']')) return text;
  const inside = text.slice(1, -1);
  return inside.includes(':') && /^[\da-f:.]+(?:%\w+)?$/i.test(inside) ? inside : text;
}
