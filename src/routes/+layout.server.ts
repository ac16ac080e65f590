import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import { defaultApp } from '$lib/app';
import { monitorStatus } from '$lib/monitoring/health-checker';
import { readWatch } from '$lib/views/watch-read';
import { keptFor } from './kept-form';
import type { LayoutServerLoad } from './$types';

/** Who looks at the page, for its header, in which colours, and how the sweeps are going. */
export const load: LayoutServerLoad = async ({ cookies, locals: { signedIn }, url, untrack, depends }) => {
  depends('wardround:watch');
  const app = await defaultApp();
  const now = new Date();
  return {
    // Every page of an admin is about the fleet, and has to say when what it knows of that is old.
    watch: signedIn?.actor.role === 'admin' ? readWatch(app, monitorStatus(app), now) : null,
    watchedAt: now,
    viewer: signedIn && { email: signedIn.user.email, role: signedIn.actor.role },
    // Of the page that was asked for: while its reader goes elsewhere, nothing has to be read anew.
    kept: signedIn && untrack(() => keptFor(app, cookies, url)),
    theme: parseTheme(cookies.get(THEME_COOKIE)) ?? 'system',
  };
};
