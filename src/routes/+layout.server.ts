import type { LayoutServerLoad } from './$types';

/** Who looks at the page, for its header. */
export const load: LayoutServerLoad = ({ locals: { signedIn } }) => ({
  viewer: signedIn && { email: signedIn.user.email, role: signedIn.actor.role },
});
