import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import { defaultApp } from '$lib/app';
import { keptFor } from './kept-form';
import type { LayoutServerLoad } from './$types';

/** Who looks at the page, for its header, and in which colours. */
export const load: LayoutServerLoad = async ({ cookies, locals: { signedIn }, url, untrack }) => {
  const app = await defaultApp();
  return {
    viewer: signedIn && { email: signedIn.user.email, role: signedIn.actor.role },
    // Of the page that was asked for: while its reader goes elsewhere, nothing has to be read anew.
    kept: signedIn && untrack(() => keptFor(app, cookies, url)),
    theme: parseTheme(cookies.get(THEME_COOKIE)) ?? 'system',
  };
};
