import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { becomeFirstAdmin, isFirstAdminLink } from '$lib/auth/first-admin';
import type { NewAdmin } from '$lib/auth/account-form';
import { inForm, type Problem } from '$lib/parsing/problems';
import { signIn } from '$lib/auth/sign-in';
import { passOn } from '../browser-cookies';
import { fieldsOf, later } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ url }) => ({
  works: isFirstAdminLink(await defaultApp(), url.searchParams.get('token') ?? '', new Date()),
});

export const actions: Actions = {
  default: async (event) => {
    const { locals, url, cookies } = event;
    const app = await defaultApp();
    const now = new Date();
    const given = fieldsOf(event, 'email', 'name', 'password');
    const typed = { email: given.email, name: given.name };
    const refuse = (status: number, problem: string | null, problems: readonly Problem<keyof NewAdmin>[] = []) => {
      const { email, name, password } = inForm(problems);
      return fail(status, { ...typed, problem, emailProblem: email, nameProblem: name, passwordProblem: password });
    };
    const result = await becomeFirstAdmin(app, locals.asking, url.searchParams.get('token') ?? '', given, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return refuse(status, problem);
      }
      case 'refused':
        return refuse(400, null, result.problems);
      // The page itself says that the link does not work.
      case 'invalid_link':
        return refuse(400, null);
      case 'created': {
        const signed = await signIn(app, locals.asking, given, now);
        if (signed.kind === 'signed_in') passOn(cookies, signed.setCookies);
        return seeOther('/');
      }
    }
  },
};
