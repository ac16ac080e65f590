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
