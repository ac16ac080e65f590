import { redirect } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { signOut } from '$lib/auth/sign-in';
import { passOn } from '../browser-cookies';
import { forgetKept } from '../kept-form';
import type { Actions, PageServerLoad } from './$types';

/** A link cannot sign anybody out; who follows one is asked. */
export const load: PageServerLoad = ({ locals }) => {
  if (!locals.signedIn) redirect(303, '/sign-in');
};

export const actions: Actions = {
  default: async ({ locals, cookies }) => {
    if (locals.signedIn) passOn(cookies, await signOut(await defaultApp(), locals.asking, locals.signedIn));
    forgetKept(cookies);
    redirect(303, '/sign-in?done=signed-out');
  },
};
