import * as z from 'zod/mini';
import { THEME_COOKIE, THEMES } from '$lib/components/theme';
import { localPath } from '$lib/facts/local-path';
import { oneOf } from '$lib/parsing/fields';
import { posted } from '../form-fields';
import { COOKIE_PATH, placeOf, seeOther } from '../site';
import type { RequestHandler } from './$types';

const ThemeForm = z.object({ theme: oneOf(THEMES) });
const YEAR_S = 365 * 24 * 60 * 60;

/** The switch for light and dark; a form, so that it works without scripts. */
export const POST: RequestHandler = (event) => {
  const { theme } = posted(event, ThemeForm);
  const secure = event.url.protocol === 'https:';
  event.cookies.set(THEME_COOKIE, theme, {
    path: COOKIE_PATH,
    maxAge: YEAR_S,
    httpOnly: true,
    sameSite: 'lax',
    secure,
  });
  const from = URL.parse(event.request.headers.get('referer') ?? '');
  seeOther(localPath(from?.origin === event.url.origin ? placeOf(from) : '/', event.url.origin) ?? '/');
};
