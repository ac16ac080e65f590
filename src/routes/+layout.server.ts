import { parseTheme, THEME_COOKIE } from '$lib/components/theme';
import type { LayoutServerLoad } from './$types';

/** Who looks at the page, for its header, and in which colours. */
export const load: LayoutServerLoad = ({ cookies, locals: { signedIn } }) => ({
  viewer: signedIn && { email: signedIn.user.email, role: signedIn.actor.role },
  theme: parseTheme(cookies.get(THEME_COOKIE)) ?? 'system',
});
