import { error, redirect } from '@sveltejs/kit';
import { pathAfterSignIn } from '$lib/auth/routes';
import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import { fieldsOf } from '../form-fields';
import type { RequestHandler } from './$types';

const YEAR_S = 365 * 24 * 60 * 60;

/** The switch for light and dark; a form, so that it works without scripts. */
export const POST: RequestHandler = async (event) => {
  const { theme: wanted, next } = await fieldsOf(event, 'theme', 'next');
  const theme = parseTheme(wanted);
  if (theme === undefined) error(400, 'The theme is light, dark or system');
  const secure = event.url.protocol === 'https:';
  event.cookies.set(THEME_COOKIE, theme, { path: '/', maxAge: YEAR_S, httpOnly: true, sameSite: 'lax', secure });
  redirect(303, pathAfterSignIn(next, event.url.origin));
};
