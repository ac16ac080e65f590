import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { hasAdmin } from '$lib/auth/accounts';
import { signIn } from '$lib/auth/sign-in';
import { localPath } from '$lib/facts/local-path';
import { passOn } from '../browser-cookies';
import { doneIn, fieldsOf, later } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  'signed-out': 'You are signed out.',
  password: 'Your password is set. Sign in with it.',
};
/** Why there is another sign-in: nothing has been done. */
const NOT_DONE: Record<string, string> = {
  expired: 'That took too long, or there were too many wrong codes. Sign in again.',
  ended: 'Your session had ended, and nothing was done. Sign in again.',
  'ended-kept': 'Your session had ended, and nothing was done. Sign in again: what you typed is kept for 15 minutes.',
  used: 'That code has been used already. Sign in again, with the next one that your app shows.',
};

export const load: PageServerLoad = async ({ locals, url }) => {
  if (locals.signedIn) seeOther('/');
  const { db } = await defaultApp();
  return { done: doneIn(url, DONE), notDone: doneIn(url, NOT_DONE), isNew: !hasAdmin(db) };
};

export const actions: Actions = {
  default: async (event) => {
    const { locals, url, cookies } = event;
    const now = new Date();
    const { email, password } = fieldsOf(event, 'email', 'password');
    if (email.trim() === '' || password === '')
      return fail(400, { email, problem: 'Enter your e-mail address and your password.' });
    const result = await signIn(await defaultApp(), locals.asking, { email, password }, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { email, problem });
      }
      case 'wrong':
        return fail(400, {
          email,
          problem: 'That e-mail address and password do not belong together. Check both and try again.',
        });
      case 'second_factor':
        passOn(cookies, result.setCookies);
        return seeOther(`/sign-in/second-factor${url.search}`);
      case 'signed_in':
        passOn(cookies, result.setCookies);
        return seeOther(localPath(url.searchParams.get('next') ?? '/', url.origin) ?? '/');
    }
  },
};
