import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { resetPassword, whoseLink } from '$lib/auth/password';
import { fieldsOf, later } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async ({ url }) => ({
  owner: whoseLink(await defaultApp(), url.searchParams.get('token') ?? '', new Date()) ?? null,
});

export const actions: Actions = {
  default: async (event) => {
    const now = new Date();
    const { password } = fieldsOf(event, 'password');
    const token = event.url.searchParams.get('token') ?? '';
    const result = await resetPassword(await defaultApp(), event.locals.asking, { token, password }, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { problem });
      }
      case 'refused':
        return fail(400, { problem: result.problem });
      // The page itself says that the link does not work.
      case 'invalid_link':
        return fail(400, { problem: null });
      case 'done':
        return seeOther('/sign-in?done=password');
    }
  },
};
