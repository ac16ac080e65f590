import type { lookup as lookUp } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Reach } from '../facts/address-reach.ts';
import type { Attempt } from '../facts/delivery.ts';
import { isPublicHost, lookUpWithin, REFUSED_ADDRESS, refusalOfLiteral } from './public-host.ts';

export type HttpOrder = {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Bytes of the answer's body that are of interest; whatever follows is not read. */
  readonly readBytes?: number;
  /** What may be called; anything where it is left out, as for addresses of the settings. */
  readonly reach?: Reach;
  /** How the name in `url` is looked up; otherwise as the system does it. */
  readonly resolve?: typeof lookUp;
};

export type HttpResult =
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfterMs: number | null; readonly body: string }
  /** `sure`: the request cannot have been understood, as no connection (over TLS, where that is asked for) came about. */
  | { readonly kind: 'no_answer'; readonly reason: string; readonly sure: boolean };

const LONGEST_RETRY_AFTER_MS = 24 * 60 * 60_000;

/**
 * One request on a connection of its own, which ends within `timeoutMs` whatever the peer does. Redirects are answers
 * like any other: following them would carry a signed body to wherever the peer likes. Reasons are our own words, as
 * Node's may hold the URL and a URL may hold a token.
 */
export function sendHttp(
  { url, method, headers, body, readBytes = 0, reach = 'any', resolve: lookUpName }: HttpOrder,
  attempt: Attempt,
): Promise<HttpResult> {
  const deadline = AbortSignal.timeout(attempt.timeoutMs);
  const signal = AbortSignal.any([attempt.signal, deadline]);
  const isSecure = url.startsWith('https:');
  if (refusalOfLiteral(URL.parse(url)?.hostname ?? '', reach) !== null)
    return Promise.resolve({ kind: 'no_answer', reason: REFUSED, sure: true });
  // Before that, nothing of the request has been written.
  let isConnected = false;
  return new Promise((resolve) => {
    const send = isSecure ? httpsRequest : httpRequest;
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    try {
      const outgoing = send(url, {
        method,
        agent: false,
        signal,
        lookup: lookUpWithin(reach, lookUpName),
        headers: { 'user-agent': 'wardround', ...headers, ...length },
      });
      outgoing.on('socket', (socket) =>
        socket.once(isSecure ? 'secureConnect' : 'connect', () => {
          isConnected = true;
        }),
      );
      outgoing.on('response', (response) => {
        void readBody(response, readBytes).then((text) => {
          resolve({
            kind: 'answer',
            status: response.statusCode ?? 0,
            retryAfterMs: retryAfter(response.headers['retry-after']),
            body: text,
          });
          // Whatever else the peer has to say is of no interest, and could be endless.
          outgoing.destroy();
        });
      });
      // Stays: after an answer was cut off, there is one more error to come.
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const reason = reasonOf(error, deadline.aborted, attempt);
        resolve({ kind: 'no_answer', reason, sure: !isConnected });
      });
      outgoing.end(body);
    } catch {
      // Node refuses some URLs and headers at once; that is no secret, but its message may hold one.
      resolve({ kind: 'no_answer', reason: 'the address cannot be used', sure: true });
    }
  });
}

async function readBody(response: IncomingMessage, readBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    if (readBytes > 0)
      for await (const chunk of response as AsyncIterable<Buffer>) {
        chunks.push(chunk);
        length += chunk.length;
        if (length >= readBytes) break;
      }
  } catch {
    // The status has been read, which decides; the rest only explains.
  }
  return Buffer.concat(chunks).subarray(0, readBytes).toString('utf8');
}

const REFUSED =
  'it leads to an address that may not be called (only admins may name those of private networks; see ALLOWED_ADDRESSES)';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host name',
  [REFUSED_ADDRESS]: REFUSED,
  EAI_AGAIN: 'the name cannot be looked up at the moment',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
};

function reasonOf(error: NodeJS.ErrnoException, timedOut: boolean, { signal, timeoutMs }: Attempt): string {
  if (signal.aborted) return 'given up, as the process stops';
  if (timedOut) return `no answer within ${timeoutMs / 1000} s`;
  // With several addresses for a name, the error is one of several.
  const code = error.code ?? '';
  return WORDS[code] ?? `the connection failed (${code || 'no reason known'})`;
}

/** Seconds or a date (RFC 9110, section 10.2.3); null where there is neither. */
function retryAfter(header: string | undefined): number | null {
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : null;
}

/** A web address that may be called: http or https, and without a password, which would be stored in the clear. */
export function isWebAddress(text: string): boolean {
  const url = URL.parse(text);
  return (
    text.length <= 2_000 &&
    !/[\s\p{C}]/u.test(text) &&
    url !== null &&
    ['http:', 'https:'].includes(url.protocol) &&
    url.username + url.password === ''
  );
}

/** The same, as far as those may name it who are not admins: a name on the internet, over https. */
export function isPublicWebAddress(text: string): boolean {
  const url = URL.parse(text);
  return isWebAddress(text) && url?.protocol === 'https:' && isPublicHost(url.hostname);
}
