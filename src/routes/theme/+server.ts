import { error, redirect } from '@sveltejs/kit';
import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import { localPath } from '$lib/facts/local-path';
import { fieldsOf } from '../form-fields';
import type { RequestHandler } from './$types';

const YEAR_S = 365 * 24 * 60 * 60;

/** The switch for light and dark; a form, so that it works without scripts. */
export const POST: RequestHandler = (event) => {
  const { theme: wanted } = fieldsOf(event, 'theme');
  const theme = parseTheme(wanted);
  if (theme === undefined) error(400, 'The theme is light, dark or system');
  const secure = event.url.protocol === 'https:';
  event.cookies.set(THEME_COOKIE, theme, { path: '/', maxAge: YEAR_S, httpOnly: true, sameSite: 'lax', secure });
  const from = URL.parse(event.request.headers.get('referer') ?? '');
  redirect(
    303,
    localPath(from?.origin === event.url.origin ? from.pathname + from.search : '/', event.url.origin) ?? '/',
  );
};
