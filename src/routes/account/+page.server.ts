import { fail } from '@sveltejs/kit';
import { defaultApp } from '$lib/app';
import { changeName } from '$lib/auth/accounts';
import { guarded } from '$lib/auth/actor';
import { browserInWords } from '$lib/auth/browser-words';
import { changePassword } from '$lib/auth/password';
import { endOtherSessions, listSessions } from '$lib/auth/session';
import { listVps } from '$lib/views/fleet-read';
import { doneIn, fieldsOf, later } from '../form-fields';
import { seeOther } from '../site';
import type { Actions, PageServerLoad } from './$types';

const DONE: Record<string, string> = {
  name: 'Your name is saved.',
  password: 'Your password is changed. Every other session has been signed out.',
  others: 'Every other session has been signed out.',
};

export const load: PageServerLoad = async ({ locals, url }) => {
  const app = await defaultApp();
  const now = new Date();
  const signedIn = guarded(locals.signedIn);
  const { email, name, hasSecondFactor } = signedIn.user;
  return {
    email,
    name: name ?? '',
    role: signedIn.actor.role,
    hasSecondFactor,
    awaitsVps: signedIn.actor.role === 'customer' && listVps(app, signedIn.actor, now).length === 0,
    sessions: listSessions(app, signedIn, now).map(({ userAgent, ...row }) => ({
      ...row,
      browser: browserInWords(userAgent),
    })),
    done: doneIn(url, DONE),
    now,
  };
};

export const actions: Actions = {
  name: async (event) => {
    const { name } = fieldsOf(event, 'name');
    const problem = await changeName(await defaultApp(), guarded(event.locals.signedIn), name);
    if (problem !== undefined) return fail(400, { name, nameProblem: problem });
    seeOther('/account?done=name');
  },
  password: async (event) => {
    const now = new Date();
    const given = fieldsOf(event, 'current', 'next');
    const result = await changePassword(await defaultApp(), guarded(event.locals.signedIn), given, now);
    switch (result.kind) {
      case 'limited':
      case 'busy': {
        const { status, problem } = later(event, result, now);
        return fail(status, { currentProblem: problem });
      }
      case 'wrong':
        return fail(400, { currentProblem: 'That is not your password. Enter the one you signed in with.' });
      case 'refused':
        return fail(400, { nextProblem: result.problem });
      case 'done':
        return seeOther('/account?done=password');
    }
  },
  others: async ({ locals }) => {
    await endOtherSessions(await defaultApp(), guarded(locals.signedIn));
    seeOther('/account?done=others');
  },
};
