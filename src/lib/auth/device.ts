import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { App } from '../app.ts';
import { derivedSecret } from '../crypto/derived-secret.ts';
import type { Asking } from './asking.ts';

/*
 * A browser that has signed in is remembered, and its attempts are counted by themselves: whoever guesses elsewhere does
 * not lock out the person who sits at it. See OWASP, "Slow Down Online Guessing Attacks with Device Cookies". It is no
 * right to anything: whoever has the cookie may guess at that one account, ten times in a quarter of an hour.
 */

const NAME = 'wardround.device';
const YEAR_S = 365 * 24 * 60 * 60;
const ID_BYTES = 16;

const signatureOf = ({ encryptionKey }: App, email: string, id: string): string =>
  createHmac('sha256', derivedSecret(encryptionKey, 'devices')).update(`${id} ${email}`).digest('base64url');

/** The id of the browser, if somebody has signed in there with this address (normalized); null for any other browser. */
export function knownDevice(app: App, { cookie }: Asking, email: string): string | null {
  const [, id = '', given = ''] =
    /(?:^|[\s;])(?:__Secure-)?wardround\.device=([\w-]{1,64})\.([\w-]{1,64})(?:;|$)/.exec(cookie) ?? [];
  const expected = Buffer.from(signatureOf(app, email, id));
  const actual = Buffer.from(given);
  return actual.length === expected.length && timingSafeEqual(actual, expected) ? id : null;
}

/** The `Set-Cookie` header for a browser in which somebody has just signed in with this address (normalized). */
export function rememberDevice(app: App, asking: Asking, email: string): string {
  const id = knownDevice(app, asking, email) ?? randomBytes(ID_BYTES).toString('base64url');
  const isSecure = app.settings.origin.startsWith('https:');
  const name = isSecure ? `__Secure-${NAME}` : NAME;
  const attributes = `Max-Age=${YEAR_S}; Path=/; HttpOnly; ${isSecure ? 'Secure; ' : ''}SameSite=Lax`;
  return `${name}=${id}.${signatureOf(app, email, id)}; ${attributes}`;
}
