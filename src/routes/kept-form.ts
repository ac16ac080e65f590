import type { Cookies, RequestEvent } from '@sveltejs/kit';
import type { App } from '$lib/app';
import { DecryptionError, decryptToken, encryptToken } from '$lib/crypto/encryption';
import { COOKIE_PATH } from './site';

/*
 * A form that is sent after the session has ended is not lost: what was typed waits in a cookie, encrypted, while its
 * owner signs in again, and is offered on the same page. Nothing is sent by itself.
 */

const COOKIE = 'wardround.kept';
/** What the ciphertext is bound to. */
const PLACE = 'cookie:kept';
const KEEP_S = 15 * 60;
/** Browsers refuse longer cookies; nor would they wait in memory here. */
const LONGEST_COOKIE = 3_800;

/** Nothing else is kept: no password, key, token or code. `was.…` is what a form was made from. */
const KEPT_FIELDS =
  /^(?:address|channel|customer|do|email|enabled|fingerprint|host|hostKey|id|key|kind|labels|length|name|note|notReady|port|reason|role|service|state|title|until|user|vps|was\.\w+)$/;

export type KeptForm = {
  /** Where it was sent to, and the page that it belongs to. */
  readonly action: string;
  readonly page: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** Something was typed that is not kept. */
  readonly isPartial: boolean;
};

/** Keeps what a request without a session has posted. Whether there was anything to keep. */
export function keepForm(app: App, { url, cookies }: RequestEvent, form: FormData): boolean {
  const typed = [...form].filter((entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1] !== '');
  const fields = typed.filter(([name]) => KEPT_FIELDS.test(name));
  const kept: KeptForm = {
    action: `${url.pathname}${url.search}`,
    page: url.pathname,
    fields,
    isPartial: fields.length < [...form].filter(([, value]) => value !== '').length,
  };
  const value = encryptToken(JSON.stringify(kept), PLACE, app.encryptionKey);
  if (fields.length === 0 || value.length > LONGEST_COOKIE) return false;
  const secure = url.protocol === 'https:';
  cookies.set(COOKIE, value, { path: COOKIE_PATH, maxAge: KEEP_S, httpOnly: true, sameSite: 'lax', secure });
  return true;
}

/** What waits for this page; null where nothing does. */
export function keptFor(app: App, cookies: Cookies, url: URL): KeptForm | null {
  const value = cookies.get(COOKIE);
  if (value === undefined) return null;
  try {
    // Nobody but this server can have written it.
    const kept = JSON.parse(decryptToken(value, PLACE, app.encryptionKey)) as KeptForm;
    return kept.page === url.pathname ? kept : null;
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    return null;
  }
}

/** To be called when it has been sent again, and when its owner leaves. */
export function forgetKept(cookies: Cookies): void {
  if (cookies.get(COOKIE) !== undefined) cookies.delete(COOKIE, { path: COOKIE_PATH });
}
