import { defaultApp } from '$lib/app';
import { signOut } from '$lib/auth/sign-in';
import { passOn } from '../browser-cookies';
import { forgetKept } from '../kept-form';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

/** A link cannot sign anybody out; who follows one is asked. */
export const load: PageServerLoad = ({ locals }) => {
  if (!locals.signedIn) seeOther('/sign-in');
};

export const actions: Actions = {
  default: async ({ locals, cookies }) => {
    if (locals.signedIn) passOn(cookies, await signOut(await defaultApp(), locals.asking, locals.signedIn));
    forgetKept(cookies);
    seeOther('/sign-in?done=signed-out');
  },
};
