import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { awaitsSecondFactor, verifySecondFactor } from '$lib/auth/sign-in';
import { localPath } from '$lib/facts/local-path';
import { passOn } from '../../browser-cookies';
import { fieldsOf, later } from '../../form-fields';
import { seeOther } from '../../site';
import type { Actions, PageServerLoad } from './$types';

export const load: PageServerLoad = ({ locals }) => {
  if (locals.signedIn) seeOther('/');
  if (!awaitsSecondFactor(locals.asking)) seeOther('/sign-in');
};

export const actions: Actions = {
  default: async (event) => {
    const { locals, url, cookies } = event;
    if (!awaitsSecondFactor(locals.asking)) seeOther('/sign-in?done=expired');
    const now = new Date();
    const { code } = fieldsOf(event, 'code');
    if (code.trim() === '') return fail(400, { problem: 'Enter the code that your authenticator app shows.' });
    const result = await verifySecondFactor(await defaultApp(), locals.asking, code, now);
    switch (result.kind) {
      case 'limited': {
        const { status, problem } = later(event, result, now);
        return fail(status, { problem });
      }
      case 'locked':
        return fail(429, { problem: 'Too many wrong codes. Try again in 15 min.' });
      case 'wrong':
        return fail(400, {
          problem: 'That code is not right. Codes change every 30 seconds: enter the one shown now.',
        });
      case 'expired':
      case 'used':
        return seeOther(`/sign-in?done=${result.kind}`);
      case 'signed_in':
        passOn(cookies, result.setCookies);
        return seeOther(localPath(url.searchParams.get('next') ?? '/', url.origin) ?? '/');
    }
  },
};
