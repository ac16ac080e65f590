import type { Cookies } from '@sveltejs/kit';
import { parseSetCookieHeader, toCookieOptions } from 'better-auth/cookies';
import { COOKIE_PATH } from './site';

/** Hands `Set-Cookie` headers of lib on to the browser, with whatever answer follows: a page, an error, a redirect. */
export function passOn(cookies: Cookies, setCookies: readonly string[]): void {
  for (const header of setCookies)
    for (const [name, { value, ...attributes }] of parseSetCookieHeader(header)) {
      const { maxAge, httpOnly = false, secure = false, sameSite = 'lax' } = toCookieOptions({ value, ...attributes });
      cookies.set(name, value, {
        path: COOKIE_PATH,
        httpOnly,
        secure,
        sameSite,
        ...(maxAge === undefined ? {} : { maxAge }),
      });
    }
}
