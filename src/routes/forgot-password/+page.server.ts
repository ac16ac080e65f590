import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { deliverLater, requestPasswordReset } from '$lib/auth/password';
import { fieldsOf, later } from '../form-fields';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = async () => ({ canMail: (await defaultApp()).sendMail !== null });

export const actions: Actions = {
  default: async (event) => {
    const now = new Date();
    const { email } = fieldsOf(event, 'email');
    const result = await requestPasswordReset(await defaultApp(), event.locals.asking, email, now);
    switch (result.kind) {
      case 'no_mail':
        return fail(503, { email, problem: 'This server cannot send mail. Ask your administrator for a link.' });
      case 'refused':
        return fail(400, { email, problem: result.problem });
      case 'limited': {
        const { status, problem } = later(event, result, now);
        return fail(status, { email, problem });
      }
      case 'accepted':
        deliverLater(result.deliver);
        return { email: email.trim(), sent: true };
    }
  },
};
